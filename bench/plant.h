// A slow-down put in on purpose, so that one can see whether it is found: after each slice the
// worker spins on the time-stamp counter for a given part of the CPU time that the slice took.
#pragma once

#include <cstdint>

namespace bench {

class Plant {
 public:
  // LAB_PLANT=0.01 in the environment is one percent; nothing is planted without it.
  Plant();

  void spin_after(std::uint64_t nanoseconds) const;

 private:
  double ticks_per_nanosecond_ = 0;  // times the part
};

}  // namespace bench
