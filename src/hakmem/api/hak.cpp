// The hak_* functions of hakmem/hakmem.h.

#include "hakmem/hakmem.h"

#include "hakmem/api/entry.hpp"
#include "hakmem/api/slow_door.hpp"
#include "hakmem/boxes/statistics.hpp"
#include "hakmem/front/thread.hpp"
#include "hakmem/heap/shared.hpp"
#include "hakmem/large/large.hpp"

using namespace hakmem;

static Heap* heap_of(hak_heap_t* heap) { return reinterpret_cast<Heap*>(heap); }

extern "C" {

HAK_EXPORT void* hak_malloc(size_t size) { return entry_malloc(size); }
HAK_EXPORT void* hak_calloc(size_t count, size_t size) { return entry_calloc(count, size); }
HAK_EXPORT void* hak_realloc(void* p, size_t size) { return entry_realloc(p, size); }
HAK_EXPORT void* hak_reallocarray(void* p, size_t count, size_t size) {
  size_t bytes = 0;
  return __builtin_mul_overflow(count, size, &bytes) ? fail_with(ENOMEM) : entry_realloc(p, bytes);
}
HAK_EXPORT void* hak_aligned_alloc(size_t a, size_t n) { return aligned_checked(a, n); }

HAK_EXPORT void hak_free(void* p) { deallocate(p); }
HAK_EXPORT void hak_free_sized(void* p, size_t) { deallocate(p); }
HAK_EXPORT void hak_free_aligned_sized(void* p, size_t, size_t) { deallocate(p); }

HAK_EXPORT size_t hak_usable_size(const void* p) { return entry_usable_size(p); }
HAK_EXPORT size_t hak_good_size(size_t size) { return entry_good_size(size); }
HAK_EXPORT size_t hak_collect(bool force) { return entry_collect(force); }
HAK_EXPORT void hak_thread_idle(void) { thread_idle(); }
HAK_EXPORT int hak_version(void) { return HAKMEM_VERSION; }

HAK_EXPORT void hak_stats(hak_stats_t* stats) { *stats = memory_statistics(true); }
HAK_EXPORT size_t hak_stats_json(char* text, size_t n) { return json_statistics(text, n); }
HAK_EXPORT void hak_print_stats(int fd) { print_statistics(fd); }

// ---- first-class heaps -------------------------------------------------------------------------
HAK_EXPORT hak_heap_t* hak_heap_new(void) {
  Heap* heap = thread_ready() ? shared_heap_open() : nullptr;
  return heap != nullptr ? reinterpret_cast<hak_heap_t*>(heap) : fail_with(ENOMEM);
}

HAK_EXPORT void hak_heap_destroy(hak_heap_t* heap) {
  if (heap == nullptr) return;
  large_free_all(heap_of(heap));
  shared_heap_close(heap_of(heap));
}

HAK_EXPORT void* hak_heap_malloc(hak_heap_t* h, size_t n) { return malloc_shared(heap_of(h), n); }
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
  *stats = heap_statistics(heap_of(heap));
}

}  // extern "C"
