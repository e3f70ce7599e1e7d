// The pages of a slab: which of them no object needs, and which were given back to the system.
//
// A page may go when every object that touches it is free, by the slab's own bitmap, or was never
// handed out. Objects in caches, in outboxes and in remote words count as live: their bits are not
// set. A page stays marked until an object on it is handed out again; refill prefers others.
// All functions: the caller holds the door of the slab's heap.
#pragma once

#include "hakmem/arena/descriptor.hpp"

namespace hakmem {

// Gives back the pages that no object needs and that are not given back yet; neighbours in one
// call. Returns the bytes. What the system refuses (locked pages) it is not asked for again while
// the slab lives. Cost: some 20 instructions a page, and a system call for each run of pages.
std::size_t slab_give_back(Descriptor* slab);

// slab_take for a slab that has holes, but for the count of its free objects: objects on resident
// pages come first, and those in holes only where the limit allows (spans_can_refill).
unsigned slab_take_beside_holes(Descriptor* slab, void** end, unsigned count);

// The objects [first, end) are handed out: their pages count as resident. False: the limit forbids.
[[nodiscard]] bool slab_use_pages(Descriptor* slab, unsigned first, unsigned end);

// The slab ends; its span counts as resident again.
void slab_forget_holes(Descriptor* slab);

}  // namespace hakmem
