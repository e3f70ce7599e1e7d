// How much better is B than A, and how far is that to be trusted?
//
// The samples form a tree. Slices of one pair of processes differ by noise; pairs differ by where
// their processes happen to lie in memory; pairs of different layouts (relinked builds) differ by
// where the code lies. What is averaged lower down must not be counted as independent higher up, so
// the interval comes from a bootstrap that draws the top level anew, and then the pairs within.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hakmem::lab {

// One pair of processes: the gain of B, log(cost of A / cost of B). Above 0 B is better.
struct PairSample {
  double gain;
  double error;          // standard error, from its slices; 0 where there is one figure only
  std::uint32_t layout;  // pairs of one number ran the same two builds
};

// The mean of what is left when the lowest and the highest tenth are put aside: nearly as precise
// as the mean, and deaf to slices that somebody interrupted. Reorders `samples`, which is not
// empty.
double trimmed_mean(std::vector<double>& samples);

// Costs of A and B in rounds, taken in the order AB, BA, AB, ...: each two rounds give one figure,
// in which a steady drift cancels. At least two rounds.
PairSample summarise(const std::vector<double>& a, const std::vector<double>& b,
                     std::uint32_t layout);

struct Interval {
  double estimate;
  double low;
  double high;

  [[nodiscard]] double half_width() const { return (high - low) / 2; }
};

// Fewer independent samples than this have no interval: it is then without bounds.
inline constexpr std::size_t kFewestUnits = 6;

// The interval that misses the true gain with probability `alpha`: the spread of the estimate over
// bootstrap draws, times Student's t. (Percentiles of the draws, the simpler way, are too narrow
// far out and for few samples.) The same samples give the same figures.
Interval interval_of(const std::vector<PairSample>& pairs, double alpha, std::size_t draws = 2000);

// What the placement of processes adds to the figure of one pair, as a standard deviation: the
// spread between pairs, less the noise of their slices. The sources are the same in all pairs.
struct LayoutTax {
  double all;      // of pairs as they come
  double relinks;  // between layouts: the part of it that relinking makes; 0 where not varied
};
LayoutTax layout_tax(const std::vector<PairSample>& pairs);

// How many independent samples there are: layouts where several were used, else pairs.
std::size_t unit_count(const std::vector<PairSample>& pairs);

// Quantiles: of the normal distribution, and of Student's t with 5 and more degrees of freedom.
double normal_quantile(double probability);
double student_quantile(double probability, double degrees);

}  // namespace hakmem::lab
