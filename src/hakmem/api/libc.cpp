// The C library's allocation functions. All of them stand in one file: a static program must find
// every one here, or the linker takes libc's own beside them.

#include <errno.h>
#include <malloc.h>
#include <stdio.h>

#include "hakmem/api/entry.hpp"
#include "hakmem/base/bits.hpp"
#include "hakmem/boxes/census.hpp"
#include "hakmem/boxes/statistics.hpp"
#include "hakmem/hakmem.h"
#include "hakmem/os/memory.hpp"

using namespace hakmem;

extern "C" {

HAK_EXPORT HAK_ENTRY void* malloc(size_t size) noexcept { return entry_malloc(size); }
HAK_EXPORT HAK_ENTRY void free(void* p) noexcept { deallocate(p); }

HAK_EXPORT void cfree(void* p) { deallocate(p); }
HAK_EXPORT void free_sized(void* p, size_t) { deallocate(p); }
HAK_EXPORT void free_aligned_sized(void* p, size_t, size_t) { deallocate(p); }

HAK_EXPORT void* calloc(size_t count, size_t size) noexcept { return entry_calloc(count, size); }
HAK_EXPORT void* realloc(void* p, size_t size) noexcept { return entry_realloc(p, size); }
// By its name, as in pvalloc: valgrind replaces what stands there, but neither of these two.
HAK_EXPORT void* reallocarray(void* p, size_t count, size_t size) noexcept {
  size_t bytes = 0;
  return __builtin_mul_overflow(count, size, &bytes) ? fail_with(ENOMEM) : realloc(p, bytes);
}

// POSIX: the result is returned, errno and *result stay as they are on failure.
HAK_EXPORT int posix_memalign(void** result, size_t alignment, size_t size) noexcept {
  if (!is_power_of_two(alignment) || alignment % sizeof(void*) != 0) return EINVAL;
  void* p = aligned_no_errno(alignment, size);
  if (p == nullptr) return ENOMEM;
  *result = p;
  return 0;
}

HAK_EXPORT void* aligned_alloc(size_t alignment, size_t size) noexcept {
  if (!is_power_of_two(alignment)) return fail_with(EINVAL);
  return entry_aligned(alignment, size);
}

// As glibc does, an alignment that is not a power of two counts as the next one.
HAK_EXPORT void* memalign(size_t alignment, size_t size) noexcept {
  if (alignment > kMaxAlignment) return fail_with(EINVAL);
  return entry_aligned(std::bit_ceil(alignment), size);
}

HAK_EXPORT void* valloc(size_t size) noexcept { return entry_aligned(os::page_size(), size); }

HAK_EXPORT void* pvalloc(size_t size) noexcept {
  const size_t page = os::page_size();
  if (size > kMaxObjectBytes) return fail_with(ENOMEM);
  return memalign(page, size == 0 ? page : align_up(size, page));
}

HAK_EXPORT size_t malloc_usable_size(void* p) noexcept { return entry_usable_size(p); }

HAK_EXPORT int malloc_trim(size_t) noexcept { return entry_collect(true) != 0 ? 1 : 0; }

HAK_EXPORT struct mallinfo2 mallinfo2(void) noexcept {
  const hak_stats_t s = memory_statistics(false);
  struct mallinfo2 info {};
  info.fsmblks = s.cached;
  info.uordblks = s.live;
  info.fordblks = s.cached + s.free + s.slack + s.dirty;
  info.arena = info.uordblks + info.fordblks;
  info.keepcost = s.dirty;
  return info;
}

// The old form has int members: values that do not fit are shown as the largest that does.
HAK_EXPORT struct mallinfo mallinfo(void) noexcept {
  const struct mallinfo2 wide = mallinfo2();
  const auto narrow = [](size_t value) {
    return static_cast<int>(value < INT32_MAX ? value : INT32_MAX);
  };
  struct mallinfo info {};
  info.arena = narrow(wide.arena);
  info.fsmblks = narrow(wide.fsmblks);
  info.uordblks = narrow(wide.uordblks);
  info.fordblks = narrow(wide.fordblks);
  info.keepcost = narrow(wide.keepcost);
  return info;
}

// glibc's parameters have no meaning here. The known ones are accepted and ignored.
HAK_EXPORT int mallopt(int parameter, int) noexcept {
  if (parameter == M_MXFAST) return 1;
  return parameter >= M_ARENA_MAX && parameter <= M_TRIM_THRESHOLD ? 1 : 0;
}

HAK_EXPORT void malloc_stats(void) noexcept { print_statistics(2); }

HAK_EXPORT int malloc_info(int options, FILE* stream) noexcept {
  if (options != 0) {
    errno = EINVAL;
    return -1;
  }
  const hak_stats_t s = memory_statistics(true);
  fprintf(stream, "<malloc version=\"hakmem-%d.%d.%d\">\n", HAKMEM_VERSION_MAJOR,
          HAKMEM_VERSION_MINOR, HAKMEM_VERSION_PATCH);
  for (const StatisticName& part : kStatisticNames) {
    fprintf(stream, "<total type=\"%s\" size=\"%zu\"/>\n", part.name, s.*part.value);
  }
  fprintf(stream,
          "<system type=\"current\" size=\"%zu\"/>\n<aspace type=\"total\" size=\"%zu\"/>\n"
          "</malloc>\n",
          s.committed - s.purged, s.mapped);
  return 0;
}

}  // extern "C"
