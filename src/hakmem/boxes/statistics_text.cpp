#include <initializer_list>

#include "hakmem/base/text.hpp"
#include "hakmem/boxes/census.hpp"
#include "hakmem/boxes/statistics.hpp"
#include "hakmem/os/lock.hpp"

namespace hakmem {
namespace {

// All of one width, as are the sizes.
constexpr const char* kBandNames[kBands + 2] = {
    "C0    1..16 ", "C1   17..32 ", "C2   33..64 ", "C3  65..128 ", "C4 129..256 ",
    "C5 257..384 ", "C6 385..512 ", "C7 513..1024", "larger      ", "all         "};

void print_row(int fd, Text line, const ClassSums& s) {
  for (const CounterName& counter : kCounterNames) line.add_number(s.counters.*counter.value, 11);
  line.add_number(s.slabs, 8).add_number(s.slab_bytes >> 10, 10).add_number(s.out_bytes >> 10, 10);
  line.add("\n").write_to(fd);
}

constexpr std::string_view kHead =
    "hakmem: statistics. Batches and objects of each class and band; held and out in KiB;\n"
    "out: objects in use or in caches; collects: frees by other threads; @: aligned family.\n"
    "class            carves     carved    refills   refilled    flushes    flushed"
    "   collects  collected   slabs      held       out\n";

// Each % stands for the next number.
void print(int fd, std::string_view words, std::initializer_list<std::size_t> numbers) {
  Text lines;
  auto next = numbers.begin();
  for (const char& c : words) c == '%' ? lines.add_number(*next++) : lines.add({&c, 1});
  lines.write_to(fd);
}

// In bytes: the sums are exact.
void print_memory(int fd, const Census& census) {
  const hak_stats_t s = memory_statistics(census, true);
  print(fd, "memory, bytes: mapped % = committed % + reserved %\n",
        {s.mapped, s.committed, s.mapped - s.committed});
  print(fd, "committed = live % + cached % + free % + slack % + dirty % + purged % + metadata %\n",
        {s.live, s.cached, s.free, s.slack, s.dirty, s.purged, s.metadata});
  print(fd,
        "of purged, inside slabs %; of metadata, resident %\n"
        "heaps %, spans given back %, memory system calls %\n",
        {s.punched, s.metadata_resident, s.heaps, s.purges, s.memory_calls});
}

void print_contention([[maybe_unused]] int fd) {
#ifdef HAKMEM_LAB  // the release flavour does not count
  constexpr const char* kNames[os::kLockKinds] = {"doors",    "registry", "spans",
                                                  "metadata", "start",    "threads"};
  Text line = Text().add("contended acquisitions:");
  for (unsigned i = 0; i < os::kLockKinds; ++i) {
    line.add(" ").add(kNames[i]).add(" ");
    line.add_number(os::contended_acquisitions(static_cast<os::LockKind>(i)));
  }
  line.add("\n").write_to(fd);
#endif
}

}  // namespace

void print_statistics(int fd) {
  write_all(fd, kHead);
  ClassSums bands[kBands + 2]{};
  const Census census = take_census();
  bands[kBands + 1] = census.all;
  for (unsigned c = 0; c < kClasses; ++c) {
    const ClassSums& sums = census.by_class[c];
    const char* family = c < kOrdinaryClasses ? "  " : " @";
    const Text size = Text().add_number(kSizeClasses[c].size, 10).add(family);
    if (!sums.is_unused()) print_row(fd, size, sums);
    add(bands[band_of_class(c)], sums);
  }
  for (unsigned i = 0; i < kBands + 2; ++i) print_row(fd, Text().add(kBandNames[i]), bands[i]);
  print_memory(fd, census);
  print_contention(fd);
}

}  // namespace hakmem
