// What the C functions, the operators and the hak_* functions share.
//
// Functions that allocate set errno to ENOMEM when they return null, unless they say otherwise.
#pragma once

#include <cstddef>

#include "hakmem/front/fast_path.hpp"

namespace hakmem {

struct Heap;

// malloc_slow with errno.
void* malloc_slow_errno(std::size_t size);

HAK_INLINE void* entry_malloc(std::size_t size) { return allocate<malloc_slow_errno>(size); }

void* entry_heap_malloc(Heap* heap, std::size_t size);

void* entry_calloc(std::size_t count, std::size_t size);

// realloc of an object to a size that is not 0. When it must move and a shared heap is given, the
// new place is there.
void* reallocate(void* p, std::size_t size, Heap* heap = nullptr);

// Some programs allocate and free by realloc alone: both at the cost of malloc and free.
HAK_INLINE void* entry_realloc(void* p, std::size_t size) {
  if (p == nullptr) return entry_malloc(size);
  if (HAK_LIKELY(size != 0)) return reallocate(p, size);
  deallocate(p);
  return nullptr;
}

void* entry_reallocarray(void* p, std::size_t count, std::size_t size);

// `alignment` must be a power of two; larger than kMaxAlignment is ENOMEM. Errno is left alone.
void* aligned_no_errno(std::size_t alignment, std::size_t size);
void* entry_aligned(std::size_t alignment, std::size_t size);

std::size_t entry_usable_size(const void* p);
std::size_t entry_good_size(std::size_t size);
std::size_t entry_collect(bool force);

}  // namespace hakmem
