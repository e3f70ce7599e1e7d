// The allocator under stress: malloc and its kin of the process, or, with HAKMEM_STRESS_CORE, the
// hak_* functions of a library that leaves malloc to a sanitizer.
#pragma once

#include <malloc.h>

#include <cstddef>
#include <cstdlib>

#include "hakmem/hakmem.h"

namespace subject {

#ifdef HAKMEM_STRESS_CORE
inline void* allocate(std::size_t size) { return hak_malloc(size); }
inline void* zeroed(std::size_t count, std::size_t size) { return hak_calloc(count, size); }
inline void* resize(void* p, std::size_t size) { return hak_realloc(p, size); }
inline void* aligned(std::size_t alignment, std::size_t size) {
  return hak_aligned_alloc(alignment, size);
}
inline void release(void* p) { hak_free(p); }
inline void release_sized(void* p, std::size_t size) { hak_free_sized(p, size); }
inline std::size_t usable(void* p) { return hak_usable_size(p); }
#else
extern "C" void free_sized(void* p, std::size_t size) noexcept;

inline void* allocate(std::size_t size) { return std::malloc(size); }
inline void* zeroed(std::size_t count, std::size_t size) { return std::calloc(count, size); }
inline void* resize(void* p, std::size_t size) { return std::realloc(p, size); }
inline void* aligned(std::size_t alignment, std::size_t size) {
  return std::aligned_alloc(alignment, size);
}
inline void release(void* p) { std::free(p); }
inline void release_sized(void* p, std::size_t size) { free_sized(p, size); }
inline std::size_t usable(void* p) { return malloc_usable_size(p); }
#endif

}  // namespace subject
