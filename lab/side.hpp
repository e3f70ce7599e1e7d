// A or B: an allocator, in one build or in several layouts of one source.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "lab/allocator.hpp"

namespace hakmem::lab {

struct Side {
  std::string word;  // as it was given
  Allocator allocator;
  std::vector<std::string> layouts;  // libraries of one source; empty where layout is not varied

  [[nodiscard]] bool varied() const { return layouts.size() > 1; }
};

// Whether an option is a hot gate, which only a build of its own can set; throws UsageError where
// there is no such option.
using IsHot = std::function<bool(const std::string& variable)>;

// Reads the two words. `hakmem` and `hakmem:GATE=VALUE,...` are builds of our own where the source
// is at hand: hot gates frozen, cold ones in the environment, `layouts` relinks a side. They are
// made now where they are not there yet. Throws UsageError.
std::vector<Side> parse_sides(const std::vector<std::string>& words, std::size_t layouts,
                              std::uint64_t seed, const IsHot& is_hot);

// The allocator as a pair of processes is to have it: the next layout, and an environment of random
// size, which moves the stack as well. Address randomisation does the rest.
Allocator placed(const Side& side, std::size_t pair, std::mt19937_64& random);

}  // namespace hakmem::lab
