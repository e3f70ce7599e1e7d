// The Mixed workload: a table of slots; each operation draws a number r (xorshift32) and visits
// slot r mod working_set. A full slot is freed; an empty one gets malloc(16 + (r & size_mask)),
// whose first byte is written. About half the slots are full at any time.
#pragma once

#include <cstdint>

namespace bench {

class Mixed {
 public:
  // `seed` must not be 0, where xorshift stands still. The table comes from mmap, so that it is the
  // same under every allocator. On failure ready() is false.
  Mixed(std::uint32_t working_set, std::uint32_t size_mask, std::uint32_t seed);
  ~Mixed();
  Mixed(const Mixed&) = delete;
  Mixed& operator=(const Mixed&) = delete;

  [[nodiscard]] bool ready() const { return slots_ != nullptr; }

  // Goes on with the sequence for `operations` steps. False when malloc failed.
  bool run(std::uint64_t operations);

 private:
  void** slots_;
  std::uint32_t working_set_;
  std::uint32_t size_mask_;
  std::uint32_t random_;
};

}  // namespace bench
