// The measurement: pairs until a look gives a verdict, or until the budget is spent.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "lab/pairs.hpp"
#include "lab/verdict.hpp"

namespace hakmem::lab {

struct Outcome {
  std::vector<PairSample> pairs;
  std::vector<Look> looks;  // what was seen at each; the last one counts
  Verdict verdict = Verdict::kUndecided;
  Interval interval{};
  LayoutTax tax{};
  double seconds = 0;
  // Of the naive method: what each side cost in each of its runs.
  std::array<std::vector<double>, 2> runs;
};

// Called now and then: pairs so far, seconds left.
using Progress = std::function<void(const std::vector<PairSample>& pairs, double left)>;

Outcome compare(PairSource& source, double threshold, double budget_seconds,
                const Progress& progress);

// Ten runs of A, then ten of B, and their means against the threshold: how it is usually done, and
// wrong on a machine whose speed drifts. Here to be compared with.
Outcome compare_naively(PairSource& source, double threshold, double budget_seconds,
                        const Progress& progress);

// How many seconds it would take to come to a verdict about an effect of 0, or of twice the
// threshold, if pairs go on as they did; 0 when there is no telling.
double seconds_to_decide(const Outcome& outcome, double threshold);

}  // namespace hakmem::lab
