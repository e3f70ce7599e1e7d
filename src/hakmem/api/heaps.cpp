// First-class heaps: the hak_heap_* functions of hakmem/hakmem.h.

#include <cerrno>

#include "hakmem/api/entry.hpp"
#include "hakmem/api/process.hpp"
#include "hakmem/boxes/statistics.hpp"
#include "hakmem/hakmem.h"
#include "hakmem/heap/shared.hpp"
#include "hakmem/large/large.hpp"

using namespace hakmem;

namespace {

Heap* heap_of(hak_heap_t* heap) { return reinterpret_cast<Heap*>(heap); }

}  // namespace

extern "C" {

HAK_EXPORT hak_heap_t* hak_heap_new(void) {
  Heap* heap = thread_ready() ? shared_heap_open() : nullptr;
  if (heap == nullptr) errno = ENOMEM;
  return reinterpret_cast<hak_heap_t*>(heap);
}

HAK_EXPORT void hak_heap_destroy(hak_heap_t* heap) {
  if (heap == nullptr) return;
  large_free_all(heap_of(heap));
  shared_heap_close(heap_of(heap));
}

HAK_EXPORT void* hak_heap_malloc(hak_heap_t* heap, size_t size) {
  return malloc_shared(heap_of(heap), size);
}

HAK_EXPORT void* hak_heap_calloc(hak_heap_t* heap, size_t count, size_t size) {
  return calloc_shared(heap_of(heap), count, size);
}

HAK_EXPORT void* hak_heap_realloc(hak_heap_t* heap, void* p, size_t size) {
  return entry_realloc(p, size, heap_of(heap));
}

HAK_EXPORT void* hak_heap_aligned(hak_heap_t* heap, size_t alignment, size_t size) {
  return aligned_checked(alignment, size, heap_of(heap));
}

HAK_EXPORT void hak_heap_stats(hak_heap_t* heap, hak_heap_stats_t* stats) {
  const HeapStatistics s = heap_statistics(heap_of(heap));
  *stats = {s.live_objects, s.live_bytes, s.held_bytes};
}

}  // extern "C"
