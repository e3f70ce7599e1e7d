/* hakmem.h in strict C; compiled as C99, C11 and C17, never run. */
#include <hakmem/hakmem.h>

size_t round_trip(size_t size);

size_t round_trip(size_t size) {
  void* p = hak_realloc(hak_malloc(size), hak_good_size(size));
  const size_t usable = hak_usable_size(p);
  hak_free_sized(p, usable);
  return hak_version() == HAKMEM_VERSION ? usable : hak_collect(true);
}
