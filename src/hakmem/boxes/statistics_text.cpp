#include "hakmem/base/text.hpp"
#include "hakmem/boxes/census.hpp"
#include "hakmem/boxes/statistics.hpp"
#include "hakmem/os/lock.hpp"

namespace hakmem {
namespace {

// All of one width, as are the sizes.
constexpr const char* kBandNames[kBands + 1] = {"C0    1..16 ", "C1   17..32 ", "C2   33..64 ",
                                                "C3  65..128 ", "C4 129..256 ", "C5 257..384 ",
                                                "C6 385..512 ", "C7 513..1024", "larger      "};
constexpr unsigned kLabelWidth = 12;

// Sizes of the second family, which are aligned to themselves, are marked with an @.
Text labelled_size(unsigned c) {
  Text line;
  line.add_number(kSizeClasses[c].size, kLabelWidth - 2).add(c < kOrdinaryClasses ? "  " : " @");
  return line;
}

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

void print_memory(int fd, const Census& census) {
  const hak_stats_t s = memory_statistics(census, true);
  const auto add_part = [](Text& line, const char* words, std::size_t bytes) {
    line.add(words).add_number(bytes >> 10);
  };
  Text whole;
  add_part(whole, "memory, KiB: mapped ", s.mapped);
  add_part(whole, " = committed ", s.committed);
  add_part(whole, " + reserved ", s.mapped - s.committed);
  whole.add("\n").write_to(fd);
  Text parts;
  add_part(parts, "committed = live ", s.live);
  add_part(parts, " + cached ", s.cached);
  add_part(parts, " + free ", s.free);
  add_part(parts, " + slack ", s.slack);
  add_part(parts, " + dirty ", s.dirty);
  add_part(parts, " + purged ", s.purged);
  add_part(parts, " + metadata ", s.metadata);
  parts.add("\n").write_to(fd);
  Text rest;
  add_part(rest, "of purged, inside slabs ", s.punched);
  add_part(rest, "; of metadata, resident ", s.metadata_resident);
  rest.add("\nheaps ").add_number(s.heaps).add(", spans given back ").add_number(s.purges);
  rest.add(", memory system calls ").add_number(s.memory_calls).add("\n").write_to(fd);
}

void print_contention(int fd) {
#ifdef HAKMEM_LAB
  constexpr const char* kNames[os::kLockKinds] = {"doors",    "registry", "spans",
                                                  "metadata", "start",    "threads"};
  Text line;
  line.add("contended acquisitions:");
  for (unsigned i = 0; i < os::kLockKinds; ++i) {
    line.add(" ").add(kNames[i]).add(" ");
    line.add_number(os::contended_acquisitions(static_cast<os::LockKind>(i)));
  }
  line.add("\n").write_to(fd);
#else
  static_cast<void>(fd);  // not counted in the release flavour
#endif
}

}  // namespace

void print_statistics(int fd) {
  write_all(fd, kHead);
  ClassSums bands[kBands + 1]{};
  ClassSums all{};
  const Census census = take_census();
  for (unsigned c = 0; c < kClasses; ++c) {
    const ClassSums& sums = census.by_class[c];
    if (!sums.is_unused()) print_row(fd, labelled_size(c), sums);
    add(bands[band_of_class(c)], sums);
    add(all, sums);
  }
  for (unsigned band = 0; band <= kBands; ++band) {
    print_row(fd, Text().add(kBandNames[band]), bands[band]);
  }
  print_row(fd, Text().add("all         "), all);
  print_memory(fd, census);
  print_contention(fd);
}

}  // namespace hakmem
