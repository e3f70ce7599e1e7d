#include "hakmem/os/lock.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hakmem::os {

constinit thread_local bool holds_every_lock HAK_TLS_MODEL = false;

void ignore_locks() { holds_every_lock = true; }

namespace {

constinit std::atomic<std::uint64_t> contended[kLockKinds]{};

// Locks are held for less than a microsecond: worth a short wait before sleeping.
constexpr int kSpins = 100;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  const KeepErrno keep;
  syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

}  // namespace

// A count: relaxed.
void Lock::count_contended(LockKind kind) {
  contended[static_cast<unsigned>(kind)].fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t contended_acquisitions(LockKind kind) {
  return contended[static_cast<unsigned>(kind)].load(std::memory_order_relaxed);
}

HAK_COLD void Lock::wait() {
  if (holds_every_lock) return;
  for (int i = 0; i < kSpins; ++i) {
    std::uint32_t expected = kFree;
    if (state_.load(std::memory_order_relaxed) == kFree &&
        state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {  // acquire: as in lock()
      return;
    }
    pause_briefly();
  }
  // From here on it is taken (acquire, too) as contended: who lets go of it must wake somebody.
  while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
    futex(state_, FUTEX_WAIT_PRIVATE, kContended);
  }
}

HAK_COLD void Lock::wake() { futex(state_, FUTEX_WAKE_PRIVATE, 1); }

}  // namespace hakmem::os
