// First-class heaps: the hak_heap_* functions of hakmem/hakmem.h.

#include <string.h>

#include <cerrno>

#include "hakmem/api/entry.hpp"
#include "hakmem/api/process.hpp"
#include "hakmem/api/slow_door.hpp"
#include "hakmem/boxes/statistics.hpp"
#include "hakmem/hakmem.h"
#include "hakmem/heap/shared.hpp"

using namespace hakmem;

namespace {

Heap* heap_of(hak_heap_t* heap) { return reinterpret_cast<Heap*>(heap); }

void* with_errno(void* p) {
  if (p == nullptr) errno = ENOMEM;
  return p;
}

void* allocate_in(hak_heap_t* heap, std::size_t size) {
  return entry_heap_malloc(heap_of(heap), size);
}

}  // namespace

extern "C" {

HAK_EXPORT hak_heap_t* hak_heap_new(void) {
  Heap* heap = thread_ready() ? shared_heap_open() : nullptr;
  return static_cast<hak_heap_t*>(with_errno(heap));
}

HAK_EXPORT void hak_heap_destroy(hak_heap_t* heap) {
  if (heap == nullptr) return;
  large_free_all(heap_of(heap));
  shared_heap_close(heap_of(heap));
}

HAK_EXPORT void* hak_heap_malloc(hak_heap_t* heap, size_t size) { return allocate_in(heap, size); }

HAK_EXPORT void* hak_heap_calloc(hak_heap_t* heap, size_t count, size_t size) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  if (bytes <= kMaxSmall) {
    void* p = allocate_in(heap, bytes);
    return p != nullptr ? memset(p, 0, bytes) : nullptr;
  }
  const LargeObject object = allocate_of_span(bytes, kMinAlignment, heap_of(heap));
  if (object.p == nullptr || object.zero) return with_errno(object.p);
  return memset(object.p, 0, bytes);
}

HAK_EXPORT void* hak_heap_realloc(hak_heap_t* heap, void* p, size_t size) {
  if (p == nullptr) return allocate_in(heap, size);
  if (size == 0) {
    deallocate(p);
    return nullptr;
  }
  return reallocate(p, size, heap_of(heap));
}

HAK_EXPORT void* hak_heap_aligned(hak_heap_t* heap, size_t alignment, size_t size) {
  if (!is_power_of_two(alignment) || alignment > kMaxAlignment) {
    errno = EINVAL;
    return nullptr;
  }
  return with_errno(allocate_shared(heap_of(heap), size, alignment));
}

HAK_EXPORT void hak_heap_stats(hak_heap_t* heap, hak_heap_stats_t* stats) {
  const HeapStatistics s = heap_statistics(heap_of(heap));
  *stats = {s.live_objects, s.live_bytes, s.held_bytes};
}

}  // extern "C"
