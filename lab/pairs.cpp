#include "lab/pairs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lab/error.hpp"

namespace hakmem::lab {
namespace {

constexpr std::array<const char*, 4> kMetrics = {"time", "cpu", "rss", "faults"};

}  // namespace

std::string name_of(Metric metric) { return kMetrics[static_cast<std::size_t>(metric)]; }

Metric parse_metric(const std::string& word) {
  const auto* const at = std::find(kMetrics.begin(), kMetrics.end(), word);
  if (at == kMetrics.end()) {
    throw UsageError(
        fmt::format("there is no metric '{}'; there are {}", word, fmt::join(kMetrics, ", ")));
  }
  return static_cast<Metric>(at - kMetrics.begin());
}

PairSource::PairSource(std::vector<Side> sides, Metric metric, std::uint64_t seed)
    : sides_(std::move(sides)), metric_(metric), random_(seed) {}

std::vector<Allocator> PairSource::place() {
  std::vector<Allocator> allocators;
  allocators.reserve(sides_.size());
  for (const Side& side : sides_) allocators.push_back(placed(side, pair_, random_));
  ++pair_;
  return allocators;
}

std::uint32_t PairSource::layout() const {
  const std::size_t count = std::max(sides_[0].layouts.size(), sides_[1].layouts.size());
  return count < 2 ? 0 : static_cast<std::uint32_t>((pair_ - 1) % count);
}

}  // namespace hakmem::lab
