#pragma once

#include <sched.h>

namespace bench {

// How a thread waits for another's work: it looks again some times, then lets others have the CPU,
// as there may be many threads to one.
class Patience {
 public:
  void lose() {
    if (++looks_ < kLooks) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      asm volatile("yield");
#endif
    } else {
      sched_yield();
    }
  }
  void regain() { looks_ = 0; }

 private:
  static constexpr unsigned kLooks = 100;
  unsigned looks_ = 0;
};

}  // namespace bench
