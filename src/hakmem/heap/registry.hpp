// All heaps by id, and those that nobody has.
//
// From kFirstSharedHeap on ids are shared heaps', below it threads': one comparison tells.
#pragma once

#include "hakmem/heap/heap.hpp"

namespace hakmem {

inline constexpr std::uint32_t kFirstSharedHeap = 1u << 20;
inline constexpr std::uint32_t kMostHeaps = kFirstSharedHeap - 1;  // of each kind
static_assert(kFirstSharedHeap + kMostHeaps <= kMaxOwner);

inline bool is_shared(std::uint32_t id) { return id >= kFirstSharedHeap; }

// The heap with this id, which was given out. Heaps are never unmapped: the pointer stays good.
Heap* heap_by_id(std::uint32_t id);

// Threads' heaps so far: ids 1 to heap_count(). Shared ones: from kFirstSharedHeap on.
std::uint32_t heap_count();
std::uint32_t shared_heap_count();

template <typename Action>
void for_each_heap(Action action) {
  for (std::uint32_t i = 1; i <= heap_count(); ++i) action(heap_by_id(i));
  for (std::uint32_t i = 0; i < shared_heap_count(); ++i) action(heap_by_id(kFirstSharedHeap + i));
}

// How many of the threads' heaps are parked, and how many of those have a cache. Hints.
std::uint32_t parked_count();
std::uint32_t kept_count();

// Adds to the usable bytes of all large objects, modulo 2^64. large_live_bytes is their sum.
void count_large(std::size_t bytes);
std::size_t large_live_bytes();

// Puts a heap of either kind among the parked ones. The caller holds its door, which it lets go of.
void registry_park(Heap* heap);

// Fork: takes all locks of the library in their order, so that every heap is consistent.
void fork_prepare();
void fork_parent();
// In the child all other threads' heaps are parked; what the caches of their threads held is lost.
void fork_child();

}  // namespace hakmem
