// What the slow door offers to the rest of api/ beside malloc_slow and free_slow.
#pragma once

namespace hakmem {

// An object of size class `c`, from the cache if it has one. Null: no memory; errno is left alone.
void* allocate_of_class(unsigned c);

}  // namespace hakmem
