// Small workloads for runs under special conditions: failing system calls, valgrind, no /proc.
#include <thread>
#include <vector>

#include "support/opaque.hpp"
#include "support/pattern.hpp"
#include "system/scenarios/scenario.hpp"
#include "system/scenarios/survival.hpp"

namespace {
constexpr std::size_t kMiB = 1u << 20;
}  // namespace

// Under HAKMEM_FAIL_OS_CALL. Prints the number of NULLs.
SCENARIO(survives_a_failing_system_call) {
  const int nulls = survival::use_everything();
  survival::work_again(1);  // the one failure may come this late
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
  std::free(reallocarray(reallocarray(nullptr, 10, 10), 20, 10));
  std::free(pvalloc(100));
}
