#include "lab/verdict.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hakmem::lab {

std::string name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGo:
      return "GO";
    case Verdict::kNoGo:
      return "NO-GO";
    case Verdict::kNeutral:
      return "NEUTRAL";
    case Verdict::kUndecided:
      break;
  }
  return "UNDECIDED";
}

Verdict judge(const Interval& interval, double threshold) {
  if (interval.low > 0 && interval.estimate >= threshold) return Verdict::kGo;
  if (interval.high < 0 && interval.estimate <= -threshold) return Verdict::kNoGo;
  if (interval.low >= -threshold && interval.high <= threshold) return Verdict::kNeutral;
  return Verdict::kUndecided;
}

double alpha_of_look(unsigned look) {
  return kAlpha * (2.0 * look - 1) / (static_cast<double>(kLooks) * kLooks);
}

std::optional<unsigned> Sequence::due(double spent) const {
  // A little tolerance, so that the last look is reached by a sum of parts.
  const auto reached = static_cast<unsigned>(std::clamp(spent, 0.0, 1.0) * kLooks + 1e-9);
  const unsigned seen = looks_.empty() ? 0 : looks_.back().number;
  if (reached <= seen) return std::nullopt;
  return reached;
}

bool Sequence::look(unsigned number, const std::vector<PairSample>& pairs) {
  const Interval interval = interval_of(pairs, alpha_of_look(number), draws_);
  looks_.push_back({number, pairs.size(), interval, judge(interval, threshold_)});
  return number >= kLooks || looks_.back().verdict != Verdict::kUndecided;
}

Verdict Sequence::verdict() const {
  return looks_.empty() ? Verdict::kUndecided : looks_.back().verdict;
}

double precision_to_expect(const std::vector<PairSample>& pairs, double spent) {
  if (unit_count(pairs) < kFewestUnits || spent <= 0)
    return std::numeric_limits<double>::infinity();
  return interval_of(pairs, alpha_of_look(kLooks), 500).half_width() *
         std::sqrt(std::min(1.0, spent));
}

}  // namespace hakmem::lab
