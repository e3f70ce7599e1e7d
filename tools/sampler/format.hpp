// What the sampler writes: an array of these, unused ones zero.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sampler {

inline constexpr std::size_t kDepth = 32;
inline constexpr std::size_t kSamples = 200'000;

struct Sample {
  std::uintptr_t addresses[kDepth];  // innermost first, 0 ends it
};

}  // namespace sampler
