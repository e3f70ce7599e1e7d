// A lock of four bytes: one compare-and-swap when nobody else wants it, a futex when somebody does.
#pragma once

#include <atomic>

#include "hakmem/base/platform.hpp"

namespace hakmem::os {

// True in the thread that forks, from the moment it holds every lock until it has let go of them:
// glibc may call malloc in between, and must not wait for itself.
extern constinit thread_local bool holds_every_lock HAK_TLS_MODEL;

// From now on this thread takes no lock and lets go of none: it is about to abort, maybe holding
// some, and the program's handler of SIGABRT may allocate.
void ignore_locks();

// What a lock guards, so that the lab flavour can count who had to wait.
enum class LockKind : unsigned char { door, registry, spans, metadata, start, threads };
inline constexpr unsigned kLockKinds = 6;

// Acquisitions of locks of a kind that found the lock taken: at the door of another heap these
// include tries that were given up. Always 0 in the release flavour.
std::uint64_t contended_acquisitions(LockKind kind);

class Lock {
 public:
  constexpr explicit Lock(LockKind kind = LockKind::door) : kind_(kind) {}

  // Acquire: what the last holder wrote is seen.
  void lock() {
    if (HAK_UNLIKELY(!try_lock())) wait();
  }

  // Acquire, and sequentially consistent, as letting go is: who finds the lock held may rely on the
  // holder's looking, after it let go, at what was written before the try.
  bool try_lock() {
    std::uint32_t expected = kFree;
    const bool taken = state_.compare_exchange_strong(expected, kHeld, std::memory_order_seq_cst);
#ifdef HAKMEM_LAB
    if (!taken) count_contended(kind_);
#endif
    return taken;
  }

  // Release: the next holder sees what was written here.
  void unlock() {
    if (HAK_UNLIKELY(holds_every_lock)) return;
    if (HAK_UNLIKELY(state_.exchange(kFree, std::memory_order_seq_cst) == kContended)) wake();
  }

  // For the child of a fork, in which no other thread is left.
  void reset() { state_.store(kFree, std::memory_order_relaxed); }

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kContended = 2;  // held, and somebody may sleep

  static void count_contended(LockKind kind);
  void wait();
  void wake();

  std::atomic<std::uint32_t> state_{kFree};
  [[maybe_unused]] LockKind kind_;  // the lab flavour counts by it
};

class Locked {
 public:
  explicit Locked(Lock& lock) : lock_(lock) { lock_.lock(); }
  ~Locked() { lock_.unlock(); }
  Locked(const Locked&) = delete;

 private:
  Lock& lock_;
};

}  // namespace hakmem::os
