// One object of the shadow model: what was asked for, and the content that must still be there.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "stress/random.hpp"
#include "stress/subject.hpp"
#include "support/pattern.hpp"

// A broken promise ends the run where it is found, with what is known about it.
[[noreturn]] inline void broken(const char* promise, const void* p, std::size_t size) {
  std::fprintf(stderr, "stress: %s: %p of %zu bytes (HAKMEM_TEST_SEED=%llu)\n", promise, p, size,
               static_cast<unsigned long long>(run_seed()));
  std::abort();
}

class Object {
 public:
  Object() = default;
  Object(Object&& other) noexcept { *this = std::move(other); }
  Object& operator=(Object&& other) noexcept {
    p_ = std::exchange(other.p_, nullptr);
    size_ = other.size_;
    filled_ = other.filled_;
    id_ = other.id_;
    return *this;
  }

  bool empty() const { return p_ == nullptr; }

  void allocate(Random& random) {
    size_ = random.size();
    switch (random.below(8)) {
      case 0:
        p_ = subject::zeroed(1, size_);
        if (p_ != nullptr && !pattern::is_zero(p_, size_)) broken("calloc not zero", p_, size_);
        check_address(16);
        break;
      case 1: {
        const std::size_t alignment = std::size_t{1} << random.below(random.one_in(20) ? 21 : 13);
        p_ = subject::aligned(alignment, size_);
        check_address(alignment);
        break;
      }
      default:
        p_ = subject::allocate(size_);
        check_address(16);
    }
    fill(random);
  }

  void verify() const {
    if (!pattern::holds(p_, filled_, id_)) broken("content lost", p_, filled_);
  }

  void resize(Random& random) {
    verify();
    const std::size_t wanted = random.one_in(2) ? random.size() + 1 : size_ + size_ / 2 + 1;
    void* const moved = subject::resize(p_, wanted);
    if (moved == nullptr) broken("realloc failed", p_, wanted);
    p_ = moved;
    size_ = wanted;
    check_address(16);
    if (!pattern::holds(p_, std::min(filled_, wanted), id_)) broken("realloc lost", p_, wanted);
    fill(random);
  }

  void release(Random& random) {
    verify();
    if (random.one_in(4)) {
      subject::release_sized(p_, size_);
    } else {
      subject::release(p_);
    }
    p_ = nullptr;
  }

 private:
  void check_address(std::size_t alignment) const {
    if (p_ == nullptr) broken("allocation failed", p_, size_);
    if (reinterpret_cast<std::uintptr_t>(p_) % alignment != 0) broken("misaligned", p_, size_);
  }

  // Usable bytes are as good as those asked for: at times they are all written.
  void fill(Random& random) {
    static std::atomic<std::uint64_t> next_id{1};
    id_ = next_id.fetch_add(1, std::memory_order_relaxed);
    const std::size_t usable = subject::usable(p_);
    if (usable < size_) broken("usable size too small", p_, size_);
    filled_ = random.one_in(4) ? usable : size_;
    pattern::fill(p_, filled_, id_);
  }

  void* p_ = nullptr;
  std::size_t size_ = 0;
  std::size_t filled_ = 0;
  std::uint64_t id_ = 0;
};
