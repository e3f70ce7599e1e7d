#pragma once

#include <cstdint>

#include "../threads/random.h"

namespace bench {

// A little allocation, as of a program between two bursts of work: each millisecond ten objects of
// 16 to 2,000 bytes take the places of others in a table of 1,000. Asleep most of the time. With a
// size: one object of it is allocated and freed each millisecond, and nothing else.
class Simmer {
 public:
  explicit Simmer(std::uint64_t one_size = 0);

  void run_until(std::uint64_t nanoseconds);  // of monotonic_nanoseconds
  void run_for(std::uint64_t milliseconds);

  std::uint64_t live_bytes() const { return live_bytes_; }
  std::uint64_t book_bytes() const;

 private:
  struct Place {
    unsigned char* object;
    std::uint32_t size;
  };

  void replace_one();
  void a_little();

  std::uint64_t one_size_;
  Random random_;
  Place* places_;
  std::uint64_t live_bytes_ = 0;
};

std::uint64_t monotonic_nanoseconds();

}  // namespace bench
