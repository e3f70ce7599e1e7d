// From an interval to a word, and when one may look.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/statistics.hpp"

namespace hakmem::lab {

enum class Verdict { kGo, kNoGo, kNeutral, kUndecided };

// GO, NO-GO, NEUTRAL, UNDECIDED
std::string name_of(Verdict verdict);

// With threshold t: GO when the interval excludes 0 and the estimate is t or more; NO-GO mirrored;
// NEUTRAL when the interval lies within -t..t; else UNDECIDED. GO and NO-GO go before NEUTRAL.
Verdict judge(const Interval& interval, double threshold);

// A measurement that may end early looks at its data several times, and each look is a chance to be
// wrong. So the 5 % of all looks together are shared out beforehand: look k of K, at k/K of the
// budget, may be wrong with probability 5 % x (k^2 - (k-1)^2) / K^2. All intervals that are ever
// shown then cover the truth together with 95 %, however the looks depend on each other
// (Bonferroni).
inline constexpr unsigned kLooks = 5;
inline constexpr double kAlpha = 0.05;

double alpha_of_look(unsigned look);  // 1 to kLooks

struct Look {
  unsigned number;
  std::size_t pairs;
  Interval interval;
  Verdict verdict;
};

// Keeps the looks of one measurement, and ends it at the first verdict.
class Sequence {
 public:
  explicit Sequence(double threshold, std::size_t draws = 2000)
      : threshold_(threshold), draws_(draws) {}

  // The next look that is due once `spent`, a part of the budget from 0 to 1, is used up; none when
  // it was looked at already.
  [[nodiscard]] std::optional<unsigned> due(double spent) const;

  // True when the measurement is over.
  bool look(unsigned number, const std::vector<PairSample>& pairs);

  [[nodiscard]] const std::vector<Look>& looks() const { return looks_; }
  // That of the last look; UNDECIDED before the first.
  [[nodiscard]] Verdict verdict() const;

 private:
  double threshold_;
  std::size_t draws_;
  std::vector<Look> looks_;
};

// The half-width that the interval will have when the budget is used up, from the pairs so far.
double precision_to_expect(const std::vector<PairSample>& pairs, double spent);

}  // namespace hakmem::lab
