#include "hakmem/boxes/statistics.hpp"

#include <array>

#include "hakmem/arena/spans.hpp"
#include "hakmem/base/text.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/os/memory.hpp"

namespace hakmem {
namespace {

struct ClassSums {
  BinCounters counters;
  std::uint64_t slabs;
  std::uint64_t slab_bytes;
  std::uint64_t live_bytes;
};

void add(ClassSums& sums, const ClassSums& more) {
  BinCounters& to = sums.counters;
  const BinCounters& from = more.counters;
  to.carves += from.carves;
  to.carved += from.carved;
  to.refills += from.refills;
  to.refilled += from.refilled;
  to.flushes += from.flushes;
  to.flushed += from.flushed;
  to.collects += from.collects;
  to.collected += from.collected;
  sums.slabs += more.slabs;
  sums.slab_bytes += more.slab_bytes;
  sums.live_bytes += more.live_bytes;
}

ClassSums sums_of_bin(const Bin& bin, const SizeClass& k) {
  const BinCounters& n = bin.counters;
  ClassSums sums{n, bin.slabs, bin.slabs * k.regions * kRegionBytes, 0};
  sums.live_bytes = (n.carved + n.refilled - n.flushed - n.collected) * k.size;
  return sums;
}

// Sums over all heaps, by class. Takes each door once.
using SumsByClass = std::array<ClassSums, kClasses>;

SumsByClass sums_by_class() {
  SumsByClass sums{};
  for_each_heap([&](Heap* heap) {
    const os::Locked inside(heap->door);
    for (unsigned c = 0; c < kClasses; ++c) {
      add(sums[c], sums_of_bin(heap->bins[c], kSizeClasses[c]));
    }
  });
  return sums;
}

void add_class(HeapStatistics& sums, const ClassSums& more) {
  const BinCounters& n = more.counters;
  sums.live_objects += n.carved + n.refilled - n.flushed - n.collected;
  sums.live_bytes += more.live_bytes;
  sums.held_bytes += more.slab_bytes;
}

bool is_unused(const ClassSums& sums) { return sums.counters.carves == 0; }

constexpr const char* kBandNames[kBands] = {"C0    1..16", "C1   17..32", "C2   33..64",
                                            "C3  65..128", "C4 129..256", "C5 257..384",
                                            "C6 385..512", "C7 513..1024"};

constexpr unsigned kLabelWidth = 12;

Text labelled(const char* label) {
  Text line;
  line.add_padded(label, kLabelWidth);
  return line;
}

// Sizes of the second family, which are aligned to themselves, are marked with an @.
Text labelled_size(unsigned c) {
  Text line;
  line.add_number(kSizeClasses[c].size, kLabelWidth - 2).add(c < kOrdinaryClasses ? "  " : " @");
  return line;
}

void print_row(int fd, Text line, const ClassSums& s) {
  const BinCounters& n = s.counters;
  for (const std::uint64_t value :
       {n.carves, n.carved, n.refills, n.refilled, n.flushes, n.flushed, n.collects, n.collected}) {
    line.add_number(value, 11);
  }
  line.add_number(s.slabs, 8).add_number(s.slab_bytes >> 10, 10).add_number(s.live_bytes >> 10, 10);
  line.add("\n").write_to(fd);
}

void print_head(int fd) {
  Text()
      .add(
          "hakmem: statistics. Batches and objects of each class and band; held and live in KiB;\n")
      .add(
          "objects in caches count as live; collects are frees by other threads; @: aligned "
          "family.\n")
      .write_to(fd);
  Text()
      .add("class            carves     carved    refills   refilled    flushes    flushed")
      .add("   collects  collected   slabs      held      live\n")
      .write_to(fd);
}

void print_memory(int fd) {
  const MemoryStatistics s = memory_statistics();
  Text line;
  line.add("memory, KiB: used ").add_number(s.used >> 10).add(", dirty ").add_number(s.dirty >> 10);
  line.add(", live ").add_number(s.live >> 10).add(", metadata ").add_number(s.metadata >> 10);
  line.add(", address space ").add_number(s.reserved >> 10).add("\n").write_to(fd);
  Text()
      .add("heaps ")
      .add_number(heap_count())
      .add(", spans given back ")
      .add_number(span_statistics().purges)
      .add(", memory system calls ")
      .add_number(os::memory_calls())
      .add("\n")
      .write_to(fd);
}

void print_contention(int fd) {
#ifdef HAKMEM_LAB
  constexpr const char* kNames[os::kLockKinds] = {"doors", "registry", "spans", "metadata",
                                                  "start"};
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

MemoryStatistics memory_statistics() {
  MemoryStatistics result{};
  std::size_t slab_bytes = 0;
  for (const ClassSums& sums : sums_by_class()) {
    slab_bytes += sums.slab_bytes;
    result.live += sums.live_bytes;
  }
  const SpanStatistics spans = span_statistics();
  result.reserved = spans.reserved;
  result.used = spans.used;
  result.dirty = spans.dirty;
  result.live += spans.used - slab_bytes;
  result.metadata = spans.metadata;
  return result;
}

HeapStatistics heap_statistics(Heap* heap) {
  const os::Locked inside(heap->door);
  heap_drain(heap, kDrainAll);
  HeapStatistics sums{};
  for (unsigned c = 0; c < kClasses; ++c)
    add_class(sums, sums_of_bin(heap->bins[c], kSizeClasses[c]));
  for (const Descriptor* head = heap->large; head != nullptr; head = head->large.next) {
    ++sums.live_objects;
    sums.live_bytes += head->large.bytes;
    sums.held_bytes += std::size_t{head->regions} << kRegionShift;
  }
  return sums;
}

void print_statistics(int fd) {
  print_head(fd);
  ClassSums bands[kBands + 1]{};  // the last one: everything larger
  ClassSums all{};
  const SumsByClass by_class = sums_by_class();
  for (unsigned c = 0; c < kClasses; ++c) {
    const ClassSums& sums = by_class[c];
    if (!is_unused(sums)) print_row(fd, labelled_size(c), sums);
    add(bands[band_of_class(c)], sums);
    add(all, sums);
  }
  for (unsigned band = 0; band < kBands; ++band)
    print_row(fd, labelled(kBandNames[band]), bands[band]);
  print_row(fd, labelled("larger"), bands[kBands]);
  print_row(fd, labelled("all"), all);
  print_memory(fd);
  print_contention(fd);
}

}  // namespace hakmem
