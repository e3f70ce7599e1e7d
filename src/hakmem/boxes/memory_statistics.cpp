#include <algorithm>

#include "hakmem/arena/spans.hpp"
#include "hakmem/boxes/census.hpp"
#include "hakmem/boxes/statistics.hpp"
#include "hakmem/front/states.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/os/memory.hpp"

namespace hakmem {

hak_stats_t memory_statistics(bool ask) { return memory_statistics(take_census(), ask); }

hak_stats_t memory_statistics(const Census& census, bool ask_system) {
  const std::size_t cached = states_cached_bytes();
  const std::size_t large = large_live_bytes();
  const SpanStatistics spans = span_statistics(ask_system);
  const ClassSums& slabs = census.all;
  // Slabs that changed hands between two heaps' turns may be missing: below 0 nothing is out.
  const std::size_t out_of_slabs =
      static_cast<std::int64_t>(slabs.out_bytes) > 0 ? slabs.out_bytes : 0;
  const std::size_t punched = bytes_given_back.load(std::memory_order_relaxed);
  const std::size_t punched_slack = slack_given_back.load(std::memory_order_relaxed);

  hak_stats_t s{};
  const std::size_t objects = spans.used + spans.dirty + spans.clean + spans.ahead;
  s.mapped = spans.mapped;
  s.committed = objects + spans.metadata;
  s.metadata = spans.metadata;
  // Parts are cut off a whole: so they add up, although they are counted at different moments.
  std::size_t rest = objects;
  const auto cut = [&rest](std::size_t part) {
    part = std::min(part, rest);
    rest -= part;
    return part;
  };
  s.purged = cut(spans.clean + spans.ahead + punched);
  s.dirty = cut(spans.dirty);
  const std::size_t out = cut(out_of_slabs + large);
  s.cached = std::min(cached, out);
  s.live = out - s.cached;
  const std::size_t slab_bytes = slabs.slab_bytes + punched_slack;
  const std::size_t not_free = out_of_slabs + slabs.slack_bytes + punched;
  s.free = cut(slab_bytes - std::min(slab_bytes, not_free) + census.segment_bytes);
  s.slack = rest;
  s.punched = punched;
  s.metadata_resident = spans.metadata_resident;
  s.heaps = heap_count() + shared_heap_count();
  s.purges = spans.purges;
  s.memory_calls = os::memory_calls();
  return s;
}

hak_heap_stats_t heap_statistics(Heap* heap) {
  const os::Locked inside(heap->door);
  heap_drain_any(heap, kDrainAll);
  hak_heap_stats_t total{};
  for (unsigned c = 0; c < kClasses; ++c) {
    const ClassSums sums = sums_of_bin(heap->bins[c], kSizeClasses[c]);
    total.live_objects += sums.out_bytes / kSizeClasses[c].size;
    total.live_bytes += sums.out_bytes;
    total.held_bytes += sums.slab_bytes;
  }
  for (const Descriptor* head = heap->large; head != nullptr; head = head->large.next) {
    ++total.live_objects;
    total.live_bytes += head->large.bytes;
    total.held_bytes += std::size_t{head->regions} << kRegionShift;
  }
  return total;
}

}  // namespace hakmem
