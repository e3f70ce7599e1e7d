#include "lab/compare.hpp"

#include <chrono>
#include <cmath>

namespace hakmem::lab {
namespace {

class Clock {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void conclude(Outcome& outcome, const Sequence& sequence, double seconds) {
  outcome.looks = sequence.looks();
  outcome.verdict = sequence.verdict();
  outcome.interval = outcome.looks.back().interval;
  outcome.tax = layout_tax(outcome.pairs);
  outcome.seconds = seconds;
}

}  // namespace

Outcome compare(PairSource& source, double threshold, double budget_seconds,
                const Progress& progress) {
  const Clock clock;
  Outcome outcome;
  Sequence sequence(threshold);
  for (bool over = false; !over;) {
    outcome.pairs.push_back(source.next());
    const double now = clock.seconds();
    const double of_a_pair = now / static_cast<double>(outcome.pairs.size());
    const bool last = now + of_a_pair > budget_seconds;
    if (const auto due = sequence.due(last ? 1 : now / budget_seconds))
      over = sequence.look(*due, outcome.pairs);
    progress(outcome.pairs, std::max(0.0, budget_seconds - now));
  }
  conclude(outcome, sequence, clock.seconds());
  return outcome;
}

Outcome compare_naively(PairSource& source, double threshold, double budget_seconds,
                        const Progress& progress) {
  constexpr std::size_t kRuns = 10;
  const Clock clock;
  Outcome outcome;
  for (std::size_t side = 0; side < 2; ++side) {
    for (std::size_t run = 0; run < kRuns; ++run) {
      outcome.runs[side].push_back(source.alone(side, budget_seconds / (2 * kRuns)));
      progress(outcome.pairs, std::max(0.0, budget_seconds - clock.seconds()));
    }
  }
  double sums[2] = {0, 0};
  for (std::size_t run = 0; run < kRuns; ++run) {
    const double a = outcome.runs[0][run];
    const double b = outcome.runs[1][run];
    sums[0] += a;
    sums[1] += b;
    outcome.pairs.push_back({std::log(a / b), 0, 0});
  }
  const double gain = std::log(sums[0] / sums[1]);
  outcome.interval = {gain, gain, gain};
  outcome.verdict = judge(outcome.interval, threshold);
  outcome.seconds = clock.seconds();
  return outcome;
}

double seconds_to_decide(const Outcome& outcome, double threshold) {
  const double reached = outcome.interval.half_width();
  if (outcome.looks.empty() || !std::isfinite(reached)) return 0;
  // The estimate strays by half of that as well.
  return outcome.seconds * std::pow(1.5 * reached / threshold, 2);
}

}  // namespace hakmem::lab
