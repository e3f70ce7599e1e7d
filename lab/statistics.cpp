#include "lab/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>

namespace hakmem::lab {
namespace {

constexpr double kTrim = 0.1;  // on each side

std::size_t trimmed_count(std::size_t samples) {
  return static_cast<std::size_t>(kTrim * static_cast<double>(samples));
}

double mean_of(const std::vector<double>& samples) {
  double sum = 0;
  for (const double sample : samples) sum += sample;
  return sum / static_cast<double>(samples.size());
}

double variance_of(const std::vector<double>& samples) {
  if (samples.size() < 2) return 0;
  const double mean = mean_of(samples);
  double sum = 0;
  for (const double sample : samples) sum += (sample - mean) * (sample - mean);
  return sum / static_cast<double>(samples.size() - 1);
}

// Standard error of the trimmed mean (Tukey and McLaughlin): from the variance of the samples with
// the outer tenths pulled in to the innermost of them.
double error_of_trimmed_mean(std::vector<double> samples) {
  const std::size_t cut = trimmed_count(samples.size());
  std::sort(samples.begin(), samples.end());
  const auto outer = static_cast<std::ptrdiff_t>(cut);
  std::fill(samples.begin(), samples.begin() + outer, samples[cut]);
  std::fill(samples.end() - outer, samples.end(), samples[samples.size() - 1 - cut]);
  const auto count = static_cast<double>(samples.size());
  return std::sqrt(variance_of(samples) / count) / (1 - 2 * kTrim);
}

// The tree: the gains of the pairs, by layout; each pair by itself where layouts were not varied.
std::vector<std::vector<double>> units_of(const std::vector<PairSample>& pairs) {
  std::map<std::uint32_t, std::vector<double>> by_layout;
  for (const PairSample& pair : pairs) by_layout[pair.layout].push_back(pair.gain);
  std::vector<std::vector<double>> units;
  if (by_layout.size() > 1) {
    for (auto& [layout, gains] : by_layout) units.push_back(std::move(gains));
  } else {
    for (const PairSample& pair : pairs) units.push_back({pair.gain});
  }
  return units;
}

double mean_of_units(const std::vector<std::vector<double>>& units) {
  std::vector<double> means;
  means.reserve(units.size());
  for (std::vector<double> unit : units) means.push_back(trimmed_mean(unit));
  return trimmed_mean(means);
}

}  // namespace

double trimmed_mean(std::vector<double>& samples) {
  const std::size_t cut = trimmed_count(samples.size());
  const auto begin = samples.begin() + static_cast<std::ptrdiff_t>(cut);
  const auto end = samples.end() - static_cast<std::ptrdiff_t>(cut);
  if (cut > 0) {
    std::nth_element(samples.begin(), begin, samples.end());
    std::nth_element(begin, end - 1, samples.end());
  }
  double sum = 0;
  for (auto at = begin; at != end; ++at) sum += *at;
  return sum / static_cast<double>(end - begin);
}

PairSample summarise(const std::vector<double>& a, const std::vector<double>& b,
                     std::uint32_t layout) {
  std::vector<double> gains;
  for (std::size_t i = 0; i + 1 < a.size(); i += 2)
    gains.push_back((std::log(a[i] / b[i]) + std::log(a[i + 1] / b[i + 1])) / 2);
  const double error = error_of_trimmed_mean(gains);
  return {trimmed_mean(gains), error, layout};
}

double normal_quantile(double probability) {
  double low = -40;
  double high = 40;
  for (int step = 0; step < 100; ++step) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.0)) / 2 < probability ? low : high) = middle;
  }
  return (low + high) / 2;
}

// The expansion of Cornish and Fisher.
double student_quantile(double probability, double degrees) {
  const double z = normal_quantile(probability);
  const double z2 = z * z;
  return z *
         (1 + (z2 + 1) / (4 * degrees) + (5 * z2 * z2 + 16 * z2 + 3) / (96 * degrees * degrees) +
          (3 * z2 * z2 * z2 + 19 * z2 * z2 + 17 * z2 - 15) / (384 * degrees * degrees * degrees));
}

std::size_t unit_count(const std::vector<PairSample>& pairs) { return units_of(pairs).size(); }

Interval interval_of(const std::vector<PairSample>& pairs, double alpha, std::size_t draws) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  const std::vector<std::vector<double>> units = units_of(pairs);
  const std::size_t count = units.size();
  if (count == 0) return {0, -kNone, kNone};
  const double estimate = mean_of_units(units);
  if (count < kFewestUnits) return {estimate, -kNone, kNone};

  std::mt19937_64 random(1);
  const auto pick = [&](std::size_t from) {
    // Without the bias correction of std::uniform_int_distribution, which is not the same
    // everywhere.
    return static_cast<std::size_t>((static_cast<unsigned __int128>(random()) * from) >> 64);
  };
  std::vector<double> estimates;
  std::vector<double> means(count);
  std::vector<double> drawn;
  estimates.reserve(draws);
  for (std::size_t draw = 0; draw < draws; ++draw) {
    for (double& mean : means) {
      const std::vector<double>& unit = units[pick(count)];
      if (unit.size() == 1) {
        mean = unit.front();
        continue;
      }
      drawn.resize(unit.size());
      for (double& gain : drawn) gain = unit[pick(unit.size())];
      mean = trimmed_mean(drawn);
    }
    estimates.push_back(trimmed_mean(means));
  }
  // A bootstrap of n samples is too narrow by this factor between n and n - 1.
  const auto n = static_cast<double>(count);
  const double error = std::sqrt(variance_of(estimates) * n / (n - 1));
  const double degrees = n - 2 * static_cast<double>(trimmed_count(count)) - 1;
  const double reach = student_quantile(1 - alpha / 2, degrees) * error;
  return {estimate, estimate - reach, estimate + reach};
}

LayoutTax layout_tax(const std::vector<PairSample>& pairs) {
  std::vector<double> gains;
  double noise = 0;
  for (const PairSample& pair : pairs) {
    gains.push_back(pair.gain);
    noise += pair.error * pair.error / static_cast<double>(pairs.size());
  }
  if (pairs.size() < 2) return {0, 0};
  LayoutTax tax{std::sqrt(std::max(0.0, variance_of(gains) - noise)), 0};

  // Analysis of variance in one way: what the means of layouts differ beyond what their pairs do.
  std::map<std::uint32_t, std::vector<double>> by_layout;
  for (const PairSample& pair : pairs) by_layout[pair.layout].push_back(pair.gain);
  if (by_layout.size() < 2) return tax;
  std::vector<double> means;
  double of_means = 0;
  for (const auto& [layout, unit] : by_layout) {
    means.push_back(mean_of(unit));
    of_means += variance_of(unit) / static_cast<double>(unit.size() * by_layout.size());
  }
  tax.relinks = std::sqrt(std::max(0.0, variance_of(means) - of_means));
  return tax;
}

}  // namespace hakmem::lab
