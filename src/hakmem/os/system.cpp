#include "hakmem/os/system.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <bit>

#include "hakmem/base/bits.hpp"
#include "hakmem/base/platform.hpp"

namespace hakmem::os {

static constinit struct stat kept_file {};  // all zero, as no file is: none
static constinit int kept_descriptor = -1;

std::size_t address_space_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  return limit.rlim_cur;
}

std::size_t address_space_size() {
  const int on_stack = 0;
  return std::bit_ceil(address_of(&on_stack));
}

static constinit std::atomic<std::uint64_t> most_gap{100};

void bound_clock_gaps(std::uint64_t most) { most_gap.store(most, std::memory_order_relaxed); }

std::uint64_t coarse_milliseconds() {
  // The system's time when it was asked last, 26 bits (18 hours), and above them the answer (8
  // years): no difference is below zero. Relaxed: nothing is read by it, nor by the bound.
  constexpr std::uint64_t kMask = (1 << 26) - 1;
  constexpr std::uint64_t kNeverAsked = std::uint64_t{1} << (31 + 26);
  static constinit std::atomic<std::uint64_t> seen{kNeverAsked};
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  const auto now = static_cast<std::uint64_t>(t.tv_sec * 1000 + t.tv_nsec / 1000000);
  for (std::uint64_t last = seen.load(std::memory_order_relaxed);;) {
    const std::uint64_t gap = (now - last) & kMask;
    const bool late = gap == 0 || gap > kMask - 1000;  // others saw a later time
    if (late && last != kNeverAsked) return last >> 26;
    const std::uint64_t step = std::min(gap, most_gap.load(std::memory_order_relaxed));
    const std::uint64_t next = ((last >> 26) + step) << 26 | (now & kMask);
    if (seen.compare_exchange_weak(last, next, std::memory_order_relaxed)) return next >> 26;
  }
}

void keep_standard_error() {
  const KeepErrno keep;
  if (fstat(2, &kept_file) != 0) return;
  kept_descriptor = fcntl(2, F_DUPFD_CLOEXEC, 100);
  if (kept_descriptor < 0) kept_descriptor = fcntl(2, F_DUPFD_CLOEXEC, 10);  // few are allowed
}

int standard_error() {
  const KeepErrno keep;
  for (const int fd : {kept_descriptor, 2}) {
    struct stat now {};
    const bool open = fstat(fd, &now) == 0;
    if (open && now.st_dev == kept_file.st_dev && now.st_ino == kept_file.st_ino) return fd;
  }
  return -1;
}

void pause_microseconds(unsigned microseconds) {
  const KeepErrno keep;
  constexpr unsigned kSecond = 1000000;
  const timespec time{microseconds / kSecond, static_cast<long>(microseconds % kSecond) * 1000};
  microseconds == 0 ? sched_yield() : nanosleep(&time, nullptr);
}

void pause_at_random(std::uint64_t once_in) {
  // xorshift32 (Marsaglia). Threads may overwrite each other's step: it is random all the same.
  static constinit std::atomic<std::uint32_t> state{2463534242u};
  std::uint32_t x = state.load(std::memory_order_relaxed);
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  state.store(x, std::memory_order_relaxed);
  if (x % once_in == 0) pause_microseconds(static_cast<unsigned>(x / once_in % 200));
}

}  // namespace hakmem::os
