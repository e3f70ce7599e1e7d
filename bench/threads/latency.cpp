#include "latency.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <iterator>

namespace bench {
namespace {

double now_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

}  // namespace

void Histogram::add_all(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
}

void Histogram::clear() { std::memset(counts_, 0, sizeof counts_); }

std::uint64_t Histogram::total() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : counts_) sum += count;
  return sum;
}

double Histogram::quantile(double share) const {
  const double wanted = share * static_cast<double>(total());
  double seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += static_cast<double>(counts_[i]);
    if (counts_[i] == 0 || seen < wanted) continue;
    const std::size_t octave = i >> kSubBits;
    if (octave == 0) return static_cast<double>(i);
    const std::size_t mantissa = (std::size_t{1} << kSubBits) + (i & ((1U << kSubBits) - 1));
    return (static_cast<double>(mantissa) + 0.5) *
           static_cast<double>(std::uint64_t{1} << (octave - 1));
  }
  return 0;
}

void Latency::Figures::add_all(const Figures& other) {
  histogram.add_all(other.histogram);
  pauses += other.pauses;
  preempted += other.preempted;
  longest = std::max(longest, other.longest);
}

double Latency::ticks_per_nanosecond() {
  constexpr double kMeasured = 5e6;
  const double start = now_nanoseconds();
  const std::uint64_t start_ticks = ticks();
  double elapsed = 0;
  while (elapsed < kMeasured) elapsed = now_nanoseconds() - start;
  return static_cast<double>(ticks() - start_ticks) / elapsed;
}

std::uint64_t Latency::overhead_ticks() {
  std::uint64_t samples[1001];
  for (std::uint64_t& sample : samples) {
    const std::uint64_t begin = ticks();
    sample = ticks() - begin;
  }
  std::nth_element(std::begin(samples), std::begin(samples) + 500, std::end(samples));
  return samples[500];
}

void Latency::forget() {
  for (Figures& figures : figures_) {
    figures.histogram.clear();
    figures.pauses = figures.preempted = figures.longest = 0;
  }
}

bool Latency::note_switches() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const bool rose = usage.ru_nivcsw != switches_;
  switches_ = usage.ru_nivcsw;
  return rose;
}

void Latency::note_pause(Call call, std::uint64_t taken) {
  Figures& figures = figures_[call];
  if (note_switches()) {
    ++figures.preempted;
    return;
  }
  ++figures.pauses;
  figures.longest = std::max(figures.longest, taken);
  figures.histogram.add(taken);
}

}  // namespace bench
