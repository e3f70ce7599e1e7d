#include "lab/bootstrap.hpp"

#include <algorithm>
#include <cstddef>
#include <random>

namespace hakmem::lab {

double median(std::vector<double>& samples) {
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  if (samples.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(samples.begin(), middle)) / 2;
}

Estimate estimate(const std::vector<std::vector<double>>& groups) {
  constexpr std::size_t kDraws = 1000;
  std::vector<double> pooled;
  for (const auto& group : groups) pooled.insert(pooled.end(), group.begin(), group.end());

  std::mt19937_64 random(1);  // the same figures for the same samples
  std::vector<double> medians;
  std::vector<double> drawn;
  for (std::size_t draw = 0; draw < kDraws; ++draw) {
    drawn.clear();
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const auto& group = groups[random() % groups.size()];
      for (std::size_t k = 0; k < group.size(); ++k)
        drawn.push_back(group[random() % group.size()]);
    }
    medians.push_back(median(drawn));
  }
  std::sort(medians.begin(), medians.end());
  return {median(pooled), medians[kDraws * 25 / 1000], medians[kDraws * 975 / 1000]};
}

}  // namespace hakmem::lab
