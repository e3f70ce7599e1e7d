// What the slow door offers to the rest of api/ beside malloc_slow and free_slow. Before either
// says that there is no memory it has looked for what waits in heaps that nobody works in.
#pragma once

#include "hakmem/large/large.hpp"

namespace hakmem {

// An object of size class `c`, from the cache if it has one. Null: no memory; errno is left alone.
void* allocate_of_class(unsigned c);

// A large object. Null: no memory; errno is left alone.
LargeObject allocate_of_span(std::size_t size, std::size_t alignment);

}  // namespace hakmem
