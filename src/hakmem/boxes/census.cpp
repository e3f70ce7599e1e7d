#include "hakmem/boxes/census.hpp"

#include "hakmem/heap/registry.hpp"

namespace hakmem {

void add(ClassSums& sums, const ClassSums& more) {
  for (const CounterName& counter : kCounterNames) {
    sums.counters.*counter.value += more.counters.*counter.value;
  }
  sums.slabs += more.slabs;
  sums.slab_bytes += more.slab_bytes;
  sums.slack_bytes += more.slack_bytes;
  sums.out_bytes += more.out_bytes;
}

ClassSums sums_of_bin(const Bin& bin, const SizeClass& k) {
  const BinCounters& n = bin.counters;
  // Of one heap alone it may be "negative", where slabs were adopted: the sum over all is right.
  const std::uint64_t out = n.carved + n.refilled - n.flushed - n.collected;
  const std::size_t bytes = bin.regions * kRegionBytes;
  return {n, bin.slabs, bytes, bytes - bin.objects * k.size, out * k.size};
}

Census take_census() {
  Census census{};
  for_each_heap([&](Heap* heap) {
    heap->door.lock();
    heap_drain_any(heap, kDrainAll);
    for (unsigned c = 0; c < kClasses; ++c) {
      const ClassSums sums = sums_of_bin(heap->bins[c], kSizeClasses[c]);
      add(census.by_class[c], sums);
      add(census.all, sums);
    }
    for (const Descriptor* segment : heap->segments) {
      if (segment != nullptr) census.segment_bytes += std::size_t{segment->regions} << kRegionShift;
    }
    leave(heap);
  });
  return census;
}

}  // namespace hakmem
