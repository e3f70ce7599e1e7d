// Threads that wait for a word to change, by the system call alone: nothing here allocates.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>
#include <ctime>

namespace bench {

// Returns when `word` may no longer be `seen`, or when that time (0: none; less than a second) is
// over.
inline void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t seen, long nanoseconds = 0) {
  const timespec limit{0, nanoseconds};
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAIT_PRIVATE, seen,
          nanoseconds != 0 ? &limit : nullptr, nullptr, 0);
}

inline void futex_wake_all(std::atomic<std::uint32_t>& word) {
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr,
          nullptr, 0);
}

}  // namespace bench
