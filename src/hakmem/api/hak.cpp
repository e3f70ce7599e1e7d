// The hak_* functions of hakmem/hakmem.h.

#include "hakmem/hakmem.h"

#include "hakmem/api/entry.hpp"
#include "hakmem/boxes/statistics.hpp"
#include "hakmem/front/thread.hpp"

using namespace hakmem;

extern "C" {

HAK_EXPORT void* hak_malloc(size_t size) { return entry_malloc(size); }

HAK_EXPORT void* hak_calloc(size_t count, size_t size) { return entry_calloc(count, size); }

HAK_EXPORT void* hak_realloc(void* p, size_t size) { return entry_realloc(p, size); }

HAK_EXPORT void* hak_reallocarray(void* p, size_t count, size_t size) {
  return entry_reallocarray(p, count, size);
}

HAK_EXPORT void* hak_aligned_alloc(size_t alignment, size_t size) {
  return aligned_checked(alignment, size);
}

HAK_EXPORT void hak_free(void* p) { deallocate(p); }

HAK_EXPORT void hak_free_sized(void* p, size_t) { deallocate(p); }

HAK_EXPORT void hak_free_aligned_sized(void* p, size_t, size_t) { deallocate(p); }

HAK_EXPORT size_t hak_usable_size(const void* p) { return entry_usable_size(p); }

HAK_EXPORT size_t hak_good_size(size_t size) { return entry_good_size(size); }

HAK_EXPORT size_t hak_collect(bool force) { return entry_collect(force); }

HAK_EXPORT void hak_thread_idle(void) { thread_idle(); }

HAK_EXPORT int hak_version(void) { return HAKMEM_VERSION; }

HAK_EXPORT void hak_stats(hak_stats_t* stats) { *stats = memory_statistics(true); }

HAK_EXPORT size_t hak_stats_json(char* buffer, size_t size) {
  return json_statistics(buffer, size);
}

HAK_EXPORT void hak_print_stats(int fd) { print_statistics(fd); }

}  // extern "C"
