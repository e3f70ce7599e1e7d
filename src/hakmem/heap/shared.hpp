// Shared heaps: any thread allocates from one and frees into one, under its door, object by object.
// Nobody's cache holds their objects, so all of them can be released at once.
//
// Two uses: first-class heaps of the program (hak_heap_new), and the starter heaps, from which a
// thread gets its first objects of each class. So a thread that does little has no slabs of its
// own, and what it frees is there for the next thread.
#pragma once

#include "hakmem/heap/heap.hpp"

namespace hakmem {

// A shared heap that nobody has, or a new one. Null: no memory for one.
Heap* shared_heap_open();

// Releases all objects of the heap, and the heap. Nobody uses it or its objects any more.
void shared_heap_close(Heap* heap);

// An object of a class. Null: no memory.
void* shared_allocate(Heap* heap, unsigned c);

// Frees an object of a shared heap. `id` is its region id.
void shared_free(void* p, RegionId id);

// ---- starters ----------------------------------------------------------------------------------
// The class of which a thread gets a starter object instead of class `c`: threads share starter
// slabs, and so that they share no cache line, such objects are made of whole lines.
constexpr unsigned starter_class(unsigned c) {
  while (kSizeClasses[c].size % kCacheLine != 0) ++c;
  return c;
}

// An object of starter_class(c), from the starter heap that `turn` says, or from the next one where
// nobody is at work; `turn` is that one then: who finds a door shut turns away once. Or null.
void* starter_allocate(std::uint16_t& turn, unsigned c);

}  // namespace hakmem
