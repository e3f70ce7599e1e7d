#pragma once

#include <cstdint>

namespace bench {

// xorshift32: quick enough not to be what is measured.
class Random {
 public:
  explicit Random(std::uint32_t seed = 1) : state_(seed * 2654435769U ^ 0x5bd1e995U) {
    if (state_ == 0) state_ = 1;  // where xorshift stands still
  }

  std::uint32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }

  // One of 0 .. limit - 1, without a division.
  std::uint32_t below(std::uint32_t limit) {
    return static_cast<std::uint32_t>((std::uint64_t{next()} * limit) >> 32);
  }

  std::uint32_t between(std::uint32_t low, std::uint32_t high) {
    return low + below(high - low + 1);
  }

  // Of a buffer: 1 KiB to that, doubled so often; small ones more often.
  std::uint32_t buffer_size(std::uint32_t doublings) {
    return between(1024, 2048U << below(doublings));
  }

 private:
  std::uint32_t state_;
};

}  // namespace bench
