// A ring of pointers from one thread to one other. Each side keeps a copy of the other's position
// and looks at the real one only when the copy says that it must wait.
#pragma once

#include <atomic>
#include <cstdint>

#include "member.h"

namespace bench {

template <std::uint32_t kCapacity>
class SpscRing {
 public:
  static_assert((kCapacity & (kCapacity - 1)) == 0);

  bool push(void* object) {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ == kCapacity) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ == kCapacity) return false;
    }
    slots_[tail % kCapacity] = object;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Null when there is none.
  void* pop() {
    const std::uint32_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_seen_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head == tail_seen_) return nullptr;
    }
    void* object = slots_[head % kCapacity];
    head_.store(head + 1, std::memory_order_release);
    return object;
  }

 private:
  // In zeroed memory. Each side writes one line of its own.
  alignas(kCacheLine) std::atomic<std::uint32_t> tail_;
  std::uint32_t head_seen_;
  alignas(kCacheLine) std::atomic<std::uint32_t> head_;
  std::uint32_t tail_seen_;
  alignas(kCacheLine) void* slots_[kCapacity];
};

}  // namespace bench
