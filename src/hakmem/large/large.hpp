// Large objects: more than 256 KiB, or aligned beyond what slabs can do. Each is a span of its own,
// or mapped apart after it had to move while it grew (arena/apart.hpp).
// Any thread may call any of these for an object it may use.
#pragma once

#include "hakmem/arena/arena.hpp"
#include "hakmem/heap/heap.hpp"

namespace hakmem {

struct LargeObject {
  void* p;    // null: out of memory
  bool zero;  // the memory reads as zero
};

// `alignment`: a power of two to kMaxAlignment. Released with `heap`, a shared one, at the latest.
LargeObject large_allocate(std::size_t size, std::size_t alignment, Heap* heap = nullptr);

// Frees all large objects of a shared heap that nobody uses any more.
void large_free_all(Heap* heap);

// The id of `p`'s region is kRegionLarge. Ends the program when it is not the object's start.
void large_free(void* p);

// The same after the object was copied, to grow: its span is to coalesce with the next steps'.
void large_free_moved(void* p);

// The bytes that may be used from `p` on.
std::size_t large_usable(const void* p);

// Grows the object into what is free behind it, or gives the tail back. False: it must move.
bool large_resize(void* p, std::size_t size);

// Grows the object where large_resize could not, and gives it to `heap`. From 1 MiB on it moves by
// page tables, or is copied to memory that waits. Null: it is as before, for the caller to copy.
void* large_move(void* p, std::size_t size, Heap* heap);

// Clears the first `bytes` bytes of an object that was just allocated.
void large_clear(void* p, std::size_t bytes);

// The usable bytes that an object of `size` bytes gets.
std::size_t large_good_size(std::size_t size);

}  // namespace hakmem
