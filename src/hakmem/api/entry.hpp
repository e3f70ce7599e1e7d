// What the C functions, the operators and the hak_* functions share.
//
// Functions that allocate set errno to ENOMEM when they return null, unless they say otherwise.
#pragma once

#include <cerrno>

#include "hakmem/front/fast_path.hpp"

namespace hakmem {

struct Heap;

inline std::nullptr_t fail_with(int error) {
  errno = error;
  return nullptr;
}

// malloc_slow with errno.
void* malloc_slow_errno(std::size_t size);

// malloc from a shared heap.
void* malloc_shared(Heap* heap, std::size_t size);

// Where functions below take a heap, it is a shared one; null: the calling thread's.

HAK_INLINE void* entry_malloc(std::size_t size, Heap* heap = nullptr) {
  return heap == nullptr ? allocate<malloc_slow_errno>(size) : malloc_shared(heap, size);
}

void* entry_calloc(std::size_t count, std::size_t size);
void* calloc_shared(Heap* heap, std::size_t count, std::size_t size);

// realloc of an object to a size that is not 0. Where it must move, it goes to the heap.
void* reallocate(void* p, std::size_t size, Heap* heap = nullptr);

// Some programs allocate and free by realloc alone: both at the cost of malloc and free.
HAK_INLINE void* entry_realloc(void* p, std::size_t size, Heap* heap = nullptr) {
  if (p == nullptr) return entry_malloc(size, heap);
  if (HAK_LIKELY(size != 0)) return reallocate(p, size, heap);
  deallocate(p);
  return nullptr;
}

// `alignment` must be a power of two; larger than kMaxAlignment is ENOMEM. Errno is left alone.
void* aligned_no_errno(std::size_t alignment, std::size_t size);
void* entry_aligned(std::size_t alignment, std::size_t size);

// For the hak_* functions: any other alignment than a power of two up to kMaxAlignment is EINVAL.
void* aligned_checked(std::size_t alignment, std::size_t size, Heap* heap = nullptr);

std::size_t entry_usable_size(const void* p);
std::size_t entry_good_size(std::size_t size);
std::size_t entry_collect(bool force);

}  // namespace hakmem
