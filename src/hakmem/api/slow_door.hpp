// What the slow door offers to the rest of api/ beside malloc_slow and free_slow. Before either
// says that there is no memory it has looked for what waits in heaps that nobody works in.
#pragma once

#include "hakmem/large/large.hpp"

namespace hakmem {

// Makes the library and the calling thread ready, at the thread's first slow-door visit. False:
// no memory, or the thread has ended already; it then works without a cache.
bool thread_ready();

// An object of size class `c`, from the cache if it has one. Null: no memory; errno is left alone.
void* allocate_of_class(unsigned c);

// A large object, of a shared heap if one is given. Null: no memory; errno is left alone.
LargeObject allocate_of_span(std::size_t size, std::size_t alignment, Heap* heap = nullptr);

// An object of a shared heap. `alignment` is a power of two. Null: no memory; errno is left alone.
void* allocate_shared(Heap* heap, std::size_t size, std::size_t alignment);

}  // namespace hakmem
