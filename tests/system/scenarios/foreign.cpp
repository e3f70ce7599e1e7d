// Pointers that libc's own malloc gave, before us or behind our back, reach our functions.
#include <dlfcn.h>

#include <cstring>

#include "support/opaque.hpp"
#include "support/pattern.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

// libc's allocator by the names that nothing interposes.
void* libc_malloc(std::size_t size) {
  static auto* const function =
      reinterpret_cast<void* (*)(std::size_t)>(dlsym(RTLD_NEXT, "__libc_malloc"));
  REQUIRE(function != nullptr);
  void* const p = function(size);
  REQUIRE(p != nullptr);
  pattern::fill(p, size, size);
  return p;
}

void* libc_memalign(std::size_t alignment, std::size_t size) {
  static auto* const function =
      reinterpret_cast<void* (*)(std::size_t, std::size_t)>(dlsym(RTLD_NEXT, "__libc_memalign"));
  REQUIRE(function != nullptr);
  return function(alignment, size);
}

constexpr std::size_t kSizes[] = {1, 24, 100, 1000, 5000, 100000, 1u << 20};

}  // namespace

SCENARIO(foreign_free) {
  for (int round = 0; round < 100; ++round) {
    for (const std::size_t size : kSizes) std::free(libc_malloc(size));
    std::free(libc_memalign(4096, 1000));
  }
}

SCENARIO(foreign_usable_size) {
  for (const std::size_t size : kSizes) {
    void* const p = libc_malloc(size);
    const std::size_t usable = malloc_usable_size(p);
    REQUIRE(usable >= size && usable < size + 8192);
    std::free(p);
  }
}

SCENARIO(foreign_realloc) {
  for (const std::size_t from : kSizes) {
    for (const std::size_t to : kSizes) {
      void* p = std::realloc(libc_malloc(from), to);
      REQUIRE(p != nullptr && pattern::holds(p, from < to ? from : to, from));
      REQUIRE(malloc_usable_size(p) >= to);
      p = std::realloc(p, 2 * to);
      REQUIRE(p != nullptr && pattern::holds(p, from < to ? from : to, from));
      std::free(p);
    }
    REQUIRE(std::realloc(libc_malloc(from), opaque(std::size_t{0})) == nullptr);
  }
}

SCENARIO(foreign_delete) {
  for (const std::size_t size : kSizes) {
    ::operator delete(libc_malloc(size));
    ::operator delete[](libc_malloc(size), size);
  }
}

// Nonsense is the next definition's to judge: its message stands. Ends by SIGABRT.
SCENARIO(dies_foreign_nonsense) {
  alignas(16) static char not_an_object[256];
  std::free(opaque(not_an_object + 16));
}
