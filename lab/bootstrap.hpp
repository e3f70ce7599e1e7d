// The median of samples that come in groups, and how far to trust it.
#pragma once

#include <vector>

namespace hakmem::lab {

struct Estimate {
  double median;
  double low;  // 95 % interval
  double high;
};

// `groups` holds one vector of samples per group; none is empty. The interval is that of a
// two-level bootstrap: groups are drawn anew, then the samples within each, because samples of one
// group (one set of processes, with one memory layout) resemble each other.
Estimate estimate(const std::vector<std::vector<double>>& groups);

// Reorders `samples`, which is not empty.
double median(std::vector<double>& samples);

}  // namespace hakmem::lab
