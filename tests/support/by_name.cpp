// For programs that are not linked with the library but run with it preloaded: its names, found at
// the first call. Without the library the program ends.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

#include "conformance/library.hpp"
#include "hakmem/hakmem.h"

namespace {

template <class Function>
Function* found(const char* name, Function* /*type*/) {
  void* const address = dlsym(RTLD_DEFAULT, name);
  if (address == nullptr) {
    std::fprintf(stderr, "%s is not there: the library under test is not preloaded\n", name);
    std::exit(2);
  }
  return reinterpret_cast<Function*>(address);
}

}  // namespace

#define FORWARD(result, name, parameters, arguments)   \
  result name parameters {                             \
    static auto* const function = found(#name, &name); \
    return function arguments;                         \
  }

extern "C" {
FORWARD(void*, hak_malloc, (std::size_t size), (size))
FORWARD(void*, hak_calloc, (std::size_t count, std::size_t size), (count, size))
FORWARD(void*, hak_realloc, (void* p, std::size_t size), (p, size))
FORWARD(void*, hak_reallocarray, (void* p, std::size_t count, std::size_t size), (p, count, size))
FORWARD(void*, hak_aligned_alloc, (std::size_t alignment, std::size_t size), (alignment, size))
FORWARD(void, hak_free, (void* p), (p))
FORWARD(void, hak_free_sized, (void* p, std::size_t size), (p, size))
FORWARD(void, hak_free_aligned_sized, (void* p, std::size_t alignment, std::size_t size),
        (p, alignment, size))
FORWARD(std::size_t, hak_usable_size, (const void* p), (p))
FORWARD(std::size_t, hak_good_size, (std::size_t size), (size))
FORWARD(std::size_t, hak_collect, (bool force), (force))
FORWARD(int, hak_version, (), ())
FORWARD(void, hak_stats, (hak_stats_t * stats), (stats))
FORWARD(std::size_t, hak_stats_json, (char* buffer, std::size_t size), (buffer, size))
FORWARD(void, hak_print_stats, (int fd), (fd))
FORWARD(void, hak_thread_idle, (), ())
FORWARD(hak_heap_t*, hak_heap_new, (), ())
FORWARD(void, hak_heap_destroy, (hak_heap_t * heap), (heap))
FORWARD(void*, hak_heap_malloc, (hak_heap_t * heap, std::size_t size), (heap, size))
FORWARD(void*, hak_heap_calloc, (hak_heap_t * heap, std::size_t count, std::size_t size),
        (heap, count, size))
FORWARD(void*, hak_heap_realloc, (hak_heap_t * heap, void* p, std::size_t size), (heap, p, size))
FORWARD(void*, hak_heap_aligned, (hak_heap_t * heap, std::size_t alignment, std::size_t size),
        (heap, alignment, size))
FORWARD(void, hak_heap_stats, (hak_heap_t * heap, hak_heap_stats_t* stats), (heap, stats))
FORWARD(void, cfree, (void* p) noexcept, (p))
FORWARD(void, free_sized, (void* p, std::size_t size) noexcept, (p, size))
FORWARD(void, free_aligned_sized, (void* p, std::size_t alignment, std::size_t size) noexcept,
        (p, alignment, size))
}
