#include "hakmem/config/delay.hpp"

#include <atomic>

#include "hakmem/os/system.hpp"

namespace hakmem::config {
namespace {

// xorshift32 (Marsaglia). Threads may overwrite each other's step: it is random all the same.
std::uint32_t next_random() {
  static constinit std::atomic<std::uint32_t> state{2463534242u};
  std::uint32_t x = state.load(std::memory_order_relaxed);
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  state.store(x, std::memory_order_relaxed);
  return x;
}

}  // namespace

void pause_at_random() {
  const std::uint64_t once_in = delay();
  if (once_in == 0 || next_random() % once_in != 0) return;
  os::pause_microseconds(next_random() % 200);
}

}  // namespace hakmem::config
