// One of the threads that a workload runs on.
#pragma once

#include <atomic>
#include <cstdint>

#include "latency.h"
#include "random.h"

namespace bench {

// What a thread wants when it returns from a workload: the slice is over, or a fresh thread is to
// go on in its place.
enum class End : std::uint8_t { kStopped, kReplaceMe };

constexpr unsigned kCacheLine = 128;  // a pair of lines: the prefetcher fetches pairs

struct alignas(kCacheLine) Member {
  std::uint32_t number = 0;
  Random random;
  bool counted = true;  // its operations are those that the workload counts
  const std::atomic<bool>* stop = nullptr;
  Latency* latency = nullptr;  // null where calls are not timed
  void* state = nullptr;       // the workload's

  // Read by the controlling thread while the member runs.
  std::atomic<std::uint64_t> operations{0};

  [[nodiscard]] bool stopped() const { return stop->load(std::memory_order_relaxed); }

  void count(std::uint64_t more = 1) {
    operations.store(operations.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
};

}  // namespace bench
