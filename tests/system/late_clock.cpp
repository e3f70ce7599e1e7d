// A program whose system clock is, when the library asks it first, just below a multiple of the
// bits that the library keeps of it (os::coarse_milliseconds): what is freed goes back all the
// same.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "support/opaque.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

constexpr std::int64_t kKept = std::int64_t{1} << 26;  // milliseconds
constexpr std::int64_t kBefore = 900;

std::int64_t milliseconds(const timespec& t) { return t.tv_sec * 1000 + t.tv_nsec / 1000000; }

std::vector<void*> allocate(std::size_t count, std::size_t size) {
  std::vector<void*> objects;
  while (objects.size() < count) {
    void* const p = std::malloc(size);
    REQUIRE(p != nullptr);
    std::memset(opaque(p), 1, size);
    objects.push_back(p);
  }
  return objects;
}

void release(const std::vector<void*>& objects) {
  for (void* p : objects) std::free(p);
}

}  // namespace

// Stands before libc's, for the library as well.
extern "C" int clock_gettime(clockid_t clock, timespec* t) noexcept {
  static std::int64_t shift = -1;
  const long result = syscall(SYS_clock_gettime, clock, t);
  if (clock != CLOCK_MONOTONIC_COARSE) return static_cast<int>(result);
  if (shift < 0) shift = kKept - kBefore - milliseconds(*t) % kKept + kKept;
  const std::int64_t shifted = milliseconds(*t) + shift;
  *t = {shifted / 1000, shifted % 1000 * 1000000};
  return static_cast<int>(result);
}

int main() {
  const std::vector<void*> all = allocate(100, std::size_t{1} << 20);
  const std::size_t full = scenario::resident_bytes();
  release(all);
  for (int round = 0; scenario::resident_bytes() > full / 2; ++round) {
    REQUIRE(round < 10000);  // 10 s; in half a second it is due
    usleep(1000);
    release(allocate(300, 100));
  }
}
