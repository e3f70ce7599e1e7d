// Random numbers and the settings of a stress run: HAKMEM_TEST_SEED, HAKMEM_TEST_SCALE (operations
// altogether), HAKMEM_TEST_THREADS. The seed is printed, so that a failure can be run again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "support/share.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr std::uint64_t kDefaultOperations = 200'000;
#else
inline constexpr std::uint64_t kDefaultOperations = 4'000'000;
#endif

inline std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

inline std::uint64_t run_scale() {
  return setting("HAKMEM_TEST_SCALE", kDefaultOperations / test_share());
}

inline std::uint64_t run_seed() {
  static const std::uint64_t seed = [] {
    const std::uint64_t chosen = setting("HAKMEM_TEST_SEED", std::random_device{}());
    std::printf("HAKMEM_TEST_SEED=%llu\n", static_cast<unsigned long long>(chosen));
    std::fflush(stdout);
    return chosen;
  }();
  return seed;
}

// xorshift64*: small and fast, one per thread.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 0x1234567) {
    if (state_ == 0) state_ = 1;
  }

  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1du;
  }

  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(next() >> 11) % limit; }
  bool one_in(std::size_t n) { return below(n) == 0; }

  // Mostly small, sometimes large, seldom huge; all of a range equally likely.
  std::size_t size() {
    const std::size_t dice = below(2000);
    if (dice == 0) return below(4u << 20);
    if (dice < 20) return below(256u << 10);
    if (dice < 140) return below(32u << 10);
    if (dice < 700) return below(1025);
    return below(272);
  }

 private:
  std::uint64_t state_;
};
