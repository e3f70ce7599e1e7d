// All heaps by id, and those that no thread has.
#pragma once

#include <cstdint>

#include "hakmem/heap/heap.hpp"

namespace hakmem {

// The heap with this id, 1 to heap_count(). Heaps are never unmapped: the pointer stays good.
Heap* heap_by_id(std::uint32_t id);

std::uint32_t heap_count();

// Puts a heap among the parked ones. Its door is not held.
void registry_park(Heap* heap);

os::Lock& registry_lock();

// Fork: takes all locks of the library in their order, so that every heap is consistent.
void fork_prepare();
void fork_parent();
// In the child all other heaps are parked; what the caches of their threads held is lost.
void fork_child();

}  // namespace hakmem
