// Pairs as the machine gives them, with a known truth.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "lab/statistics.hpp"

struct Synthetic {
  double gain = 0;  // the truth
  double between_pairs = 0.006;
  double noise = 0.006;  // of the slices of a pair
  double between_layouts = 0;
  unsigned layouts = 1;
  double outliers = 0.01;  // how many pairs have bad luck, by 5 %

  std::vector<hakmem::lab::PairSample> pairs(std::size_t count, std::uint64_t seed) const {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform;
    std::vector<double> shift(layouts);
    for (double& value : shift) value = layouts > 1 ? between_layouts * normal(random) : 0;
    std::vector<hakmem::lab::PairSample> made;
    for (std::size_t i = 0; i < count; ++i) {
      const auto layout = static_cast<std::uint32_t>(i % layouts);
      double value = gain + shift[layout] + between_pairs * normal(random) + noise * normal(random);
      if (uniform(random) < outliers) value += uniform(random) < 0.5 ? 0.05 : -0.05;
      made.push_back({value, noise, layout});
    }
    return made;
  }
};
