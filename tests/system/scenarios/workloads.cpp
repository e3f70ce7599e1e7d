// Small workloads for runs under special conditions: failing system calls, valgrind, no /proc.
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "support/opaque.hpp"
#include "support/pattern.hpp"
#include "system/scenarios/scenario.hpp"

namespace {
constexpr std::size_t kMiB = 1u << 20;
}  // namespace

// A bit of everything; every NULL comes with ENOMEM, and the heap works whatever failed. Prints the
// number of NULLs.
SCENARIO(survives_a_failing_system_call) {
  int nulls = 0;
  auto checked = [&nulls](void* p) {
    if (p == nullptr) {
      REQUIRE(errno == ENOMEM);
      ++nulls;
    }
    return p;
  };
  struct Object {
    void* p;
    std::size_t size;
  };
  static Object objects[600];
  std::size_t count = 0;
  for (const std::size_t size : {40u, 700u, 5000u, 30000u, 100000u, 3u << 20}) {
    for (int i = 0; i < (size < 6000 ? 200 : 8); ++i) {
      errno = 0;
      void* const p = checked(i % 4 == 0 ? std::calloc(1, size) : std::malloc(size));
      if (p == nullptr || count == 600) {
        std::free(p);
        continue;
      }
      if (i % 4 == 0) REQUIRE(pattern::is_zero(p, size));
      pattern::fill(p, size, count);
      objects[count++] = {p, size};
    }
  }
  for (std::size_t i = 0; i < count; i += 3) {
    errno = 0;
    void* const p = checked(std::realloc(objects[i].p, objects[i].size * 3));
    if (p != nullptr) objects[i].p = p;
  }
  errno = 0;
  std::free(checked(std::aligned_alloc(1 << 20, 1 << 20)));
  for (std::size_t i = 0; i < count; ++i) {
    REQUIRE(pattern::holds(objects[i].p, objects[i].size, i));
    std::free(objects[i].p);
  }
  malloc_trim(0);
  for (const std::size_t size : {40u, 700u, 5000u, 100000u, 3u << 20}) {
    void* const p = std::calloc(1, size);  // the one failure is over
    if (p == nullptr) ++nulls;
    REQUIRE(p == nullptr || pattern::is_zero(p, size));
    void* const q = std::calloc(1, size);
    REQUIRE(q != nullptr || p != nullptr);
    std::free(p);
    std::free(q);
  }
  std::printf("NULL %d\n", nulls);
}

// For valgrind: with a planted error, and without.
SCENARIO(writes_past_the_end) {
  auto* const p = static_cast<char*>(std::malloc(100));
  opaque(p)[opaque(std::size_t{100})] = 1;
  std::free(p);
}

SCENARIO(small_workload) {
  std::vector<void*> objects;
  for (std::size_t i = 0; i < 2000; ++i) {
    objects.push_back(i % 3 == 0 ? std::calloc(1, i) : std::malloc(i));
    pattern::fill(objects.back(), i, i);
  }
  for (std::size_t i = 0; i < 2000; i += 2) objects[i] = std::realloc(objects[i], i + 500);
  std::thread([] { std::free(std::malloc(1000)); }).join();
  for (std::size_t i = 0; i < 2000; ++i) {
    REQUIRE(pattern::holds(objects[i], i, i));
    std::free(objects[i]);
  }
  std::free(std::calloc(1, 3 * kMiB));
}
