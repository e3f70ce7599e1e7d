#include "hakmem/os/system.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

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

std::uint64_t coarse_milliseconds(std::uint64_t most_gap) {
  constexpr std::uint64_t kMostLate = 10000;
  constexpr unsigned kBits = 24;  // of the system's time: 4.6 hours
  constexpr std::uint64_t kMask = (std::uint64_t{1} << kBits) - 1;
  // The system's time when it was asked last, and above its bits the answer, which begins where no
  // difference is below zero. Relaxed: nothing else is read by it.
  static constinit std::atomic<std::uint64_t> seen{std::uint64_t{1} << (31 + kBits)};
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  const auto now = static_cast<std::uint64_t>(t.tv_sec * 1000 + t.tv_nsec / 1000000);
  std::uint64_t last = seen.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t gap = (now - last) & kMask;
    if (gap == 0 || gap > kMask - kMostLate) return last >> kBits;  // others saw a later time
    const std::uint64_t answer = (last >> kBits) + (gap < most_gap ? gap : most_gap);
    const std::uint64_t next = answer << kBits | (now & kMask);
    if (seen.compare_exchange_weak(last, next, std::memory_order_relaxed)) return answer;
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
