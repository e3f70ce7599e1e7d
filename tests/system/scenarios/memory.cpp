// Memory that a program freed goes back to the system: while it works a little, while it idles
// (with HAKMEM_BACKGROUND=1), and before a limit (HAKMEM_LIMIT) is exceeded.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <vector>

#include "support/opaque.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

constexpr std::size_t kMuch = 128u << 20;
constexpr int kPatience = 60000;  // milliseconds; far more than it takes

using Objects = std::vector<void*>;

// Touched objects of 32 to 511 bytes, `bytes` in all.
Objects allocate(std::size_t bytes) {
  std::mt19937 random(1);
  Objects objects;
  objects.reserve(bytes / 200);
  for (std::size_t got = 0; got < bytes;) {
    const std::size_t size = 32 + random() % 480;
    void* const p = std::malloc(size);
    REQUIRE(p != nullptr);
    std::memset(opaque(p), 1, size);
    objects.push_back(p);
    got += size;
  }
  return objects;
}

// Frees all but one object in fifty.
Objects thin_out(const Objects& objects) {
  std::mt19937 random(2);
  Objects left;
  for (void* p : objects) {
    if (random() % 50 == 0) {
      left.push_back(p);
    } else {
      std::free(p);
    }
  }
  return left;
}

void work_a_little() {
  void* objects[30];
  std::size_t size = 16;
  for (void*& p : objects) p = std::malloc(size += 30);
  for (void* p : objects) std::free(p);
}

// Most of what the program once had is gone, although each slab holds some object.
template <typename Work>
void falls_below_half(std::size_t before, std::size_t full, Work work) {
  int milliseconds = 0;
  while (scenario::resident_bytes() > before + (full - before) / 2) {
    REQUIRE(++milliseconds < kPatience);
    usleep(1000);
    work();
  }
}

template <typename Work>
void shrinks(Work work) {
  const std::size_t before = scenario::resident_bytes();
  const Objects all = allocate(kMuch);
  const std::size_t full = scenario::resident_bytes();
  const Objects left = thin_out(all);
  falls_below_half(before, full, work);
  for (void* p : left) {
    REQUIRE(*static_cast<char*>(p) == 1);
    std::free(p);
  }
}

bool is_set(const char* variable) { return std::getenv(variable) != nullptr; }

}  // namespace

SCENARIO(a_heap_that_shrank_gives_back_from_within_slabs) { shrinks(work_a_little); }

SCENARIO(a_heap_that_shrank_gives_back_while_its_cache_is_busy) {
  shrinks([] {
    for (int i = 0; i < 20; ++i) work_a_little();
  });
}

SCENARIO(trim_gives_back_from_within_slabs) {
  const std::size_t before = scenario::resident_bytes();
  const Objects all = allocate(kMuch);
  const std::size_t full = scenario::resident_bytes();
  const Objects left = thin_out(all);
  malloc_trim(0);
  REQUIRE(scenario::resident_bytes() < before + (full - before) / 2);
  for (void* p : left) std::free(p);
}

SCENARIO(idle_program_is_tidied_in_the_background) {
  if (!is_set("HAKMEM_BACKGROUND")) return;
  shrinks([] {});
  const pid_t child = fork();
  if (child == 0) {
    shrinks([] {});  // the child has a janitor of its own
    std::_Exit(0);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child && status == 0);
}

SCENARIO(a_limit_is_kept_by_giving_back_first) {
  if (!is_set("HAKMEM_LIMIT")) return;
  const auto limit = static_cast<std::size_t>(std::atoll(std::getenv("HAKMEM_LIMIT")));
  for (const std::size_t size : {100u, 5000u, 300000u}) {
    // Each round uses what the one before freed, of another kind.
    Objects objects;
    objects.reserve(limit / size + 1);
    std::size_t got = 0;
    for (void* p; got <= limit && (p = std::malloc(size)) != nullptr; got += size) {
      std::memset(opaque(p), 1, size);
      objects.push_back(p);
    }
    REQUIRE(errno == ENOMEM);
    REQUIRE(got > limit / 2 && got <= limit);
    for (void* p : objects) std::free(p);
    REQUIRE(scenario::peak_resident_bytes() < limit + limit / 4);
  }
}
