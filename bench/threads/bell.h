// How a thread waits for another's work: it looks again some times, then sleeps until the other
// rings. The other need not ring for each piece: it may let some pile up, as long as it rings
// before it sleeps itself. Sleeping, and not yielding, keeps the time that goes by while waiting
// out of the CPU time, and lets a CPU that has nothing to do take over a thread that waits for one.
#pragma once

#include <atomic>
#include <cstdint>

#include "futex.h"

namespace bench {

class Bell {
 public:
  // Returns when `ready()`, or after a while all the same, so that the caller can see that its
  // slice is over.
  template <class Ready>
  void wait(Ready ready) {
    for (unsigned looks = 0; looks < kLooks; ++looks) {
      if (ready()) return;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    asleep_.store(1, std::memory_order_seq_cst);
    if (!ready()) futex_wait(asleep_, 1, kLongestNanoseconds);
    asleep_.store(0, std::memory_order_relaxed);
  }

  // Cheap enough to be asked at each piece of work.
  [[nodiscard]] bool asleep() const { return asleep_.load(std::memory_order_relaxed) != 0; }

  void ring() {
    // Before it the piece of work, which the sleeper looks for once more after it told us.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (asleep() && asleep_.exchange(0, std::memory_order_relaxed) != 0) futex_wake_all(asleep_);
  }

 private:
  static constexpr unsigned kLooks = 50;
  static constexpr long kLongestNanoseconds = 1'000'000;

  std::atomic<std::uint32_t> asleep_;  // in zeroed memory
};

}  // namespace bench
