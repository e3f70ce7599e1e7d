// What the tests of heaps share: they act as threads' front ends without a cache.
#pragma once

#include <algorithm>
#include <vector>

#include "child.hpp"
#include "hakmem/arena/spans.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/heap/outbox.hpp"
#include "hakmem/heap/registry.hpp"

namespace hakmem {

inline Heap* new_heap() {
  if (arena_count.load() == 0) {
    EXPECT_TRUE(arena_add(1));
  }
  Heap* heap = heap_acquire();
  EXPECT_NE(heap, nullptr);
  return heap;
}

// What one visit gives: up to `count` objects, in the order in which a cache pops them.
inline std::vector<void*> refill_once(Heap* heap, unsigned c, unsigned count) {
  std::vector<void*> array(count);
  const unsigned got = heap_refill(heap, kSizeClasses[c], array.data() + count, count);
  EXPECT_LE(got, count);
  array.erase(array.begin(), array.begin() + (count - got));
  std::reverse(array.begin(), array.end());
  return array;
}

// Comes again until there are `count`, or no memory.
inline std::vector<void*> refill(Heap* heap, unsigned c, unsigned count) {
  std::vector<void*> all;
  while (all.size() < count) {
    const auto some = refill_once(heap, c, count - static_cast<unsigned>(all.size()));
    if (some.empty()) break;
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

inline void give_back(Heap* heap, const std::vector<void*>& objects) {
  Outbox outbox{};
  heap_return(heap, objects.data(), static_cast<unsigned>(objects.size()), outbox);
  outbox_flush(outbox);
}

inline void add_to(Outbox& outbox, void* p) { outbox_add(outbox, p, region_id_anywhere(p)); }

inline void free_remotely(const std::vector<void*>& objects) {
  Outbox outbox{};
  for (void* p : objects) add_to(outbox, p);
  outbox_flush(outbox);
}

inline Descriptor* slab_at(const void* p) { return slab_of(p, region_id_anywhere(p)); }

// Puts a slab on a heap's pending list as a freer does whose last step comes late.
inline void push_late(Heap* heap, Descriptor* slab, std::uint64_t summary) {
  std::atomic<Descriptor*>& pending = heap->pending[class_of_slot(slab->slot)];
  slab->summary.store(summary);
  slab->link.store(pending.load());
  heap->pushes.fetch_add(1);
  pending.store(slab);
}

// What the programs and the caches hold of a class, by the counters.
inline std::uint64_t held(const Heap* heap, unsigned c) {
  const BinCounters& n = heap->bins[c].counters;
  return n.carved + n.refilled - n.flushed - n.collected;
}

inline std::vector<void*> take_slabs(Heap* heap, unsigned c, unsigned slabs) {
  std::vector<void*> all;
  for (unsigned i = 0; i < slabs; ++i) {
    const std::vector<void*> some = refill_once(heap, c, kSizeClasses[c].capacity);
    EXPECT_EQ(some.size(), capacity_of(slab_at(some[0])));
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

// Whole slabs until one of the greatest length comes: it is the last.
inline std::vector<void*> take_slabs_to_longest(Heap* heap, unsigned c) {
  std::vector<void*> all;
  do {
    for (void* p : take_slabs(heap, c, 1)) all.push_back(p);
  } while (slab_at(all.back())->regions < kSizeClasses[c].regions);
  return all;
}

}  // namespace hakmem
