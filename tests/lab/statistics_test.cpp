#include "lab/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "lab/bootstrap.hpp"
#include "synthetic.hpp"

namespace {

using namespace hakmem::lab;

TEST(Statistics, TrimmedMeanLeavesTheOuterTenthsOut) {
  std::vector<double> samples = {5, 1000, 1, 2, 3, 4, 6, 7, 8, -1000};
  EXPECT_DOUBLE_EQ(trimmed_mean(samples), 4.5);
  std::vector<double> few = {1, 2, 6};
  EXPECT_DOUBLE_EQ(trimmed_mean(few), 3);
}

TEST(Statistics, MedianOfEvenAndOdd) {
  std::vector<double> odd = {9, 1, 5};
  std::vector<double> even = {9, 1, 5, 6};
  EXPECT_DOUBLE_EQ(median(odd), 5);
  EXPECT_DOUBLE_EQ(median(even), 5.5);
}

TEST(Statistics, QuantilesAreThoseOfTables) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959964, 1e-6);
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-9);
  EXPECT_NEAR(student_quantile(0.975, 5), 2.5706, 0.01);
  EXPECT_NEAR(student_quantile(0.975, 30), 2.0423, 0.001);
  EXPECT_NEAR(student_quantile(0.995, 10), 3.1693, 0.02);
}

// The machine slows down by a third while a pair runs: in the order AB BA it hardly shows.
TEST(Statistics, SteadyDriftCancels) {
  std::vector<double> a;
  std::vector<double> b;
  double speed = 1;
  for (int round = 0; round < 100; ++round) {
    for (const char side : {round % 2 == 0 ? 'a' : 'b', round % 2 == 0 ? 'b' : 'a'}) {
      (side == 'a' ? a : b).push_back(speed * (side == 'a' ? 1.02 : 1));
      speed *= 1.0015;
    }
  }
  const PairSample pair = summarise(a, b, 3);
  EXPECT_NEAR(pair.gain, std::log(1.02), 1e-6);
  EXPECT_LT(pair.error, 1e-6);
  EXPECT_EQ(pair.layout, 3U);
}

TEST(Statistics, GainIsPositiveWhenBIsFaster) {
  const std::vector<double> a = {2, 2, 2, 2};
  const std::vector<double> b = {1, 1, 1, 1};
  EXPECT_NEAR(summarise(a, b, 0).gain, std::log(2.0), 1e-12);
}

TEST(Statistics, ErrorOfAPairIsThatOfItsSlices) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal(0, 0.01);
  std::vector<double> a;
  std::vector<double> b;
  for (int i = 0; i < 800; ++i) {
    a.push_back(std::exp(normal(random)));
    b.push_back(std::exp(normal(random)));
  }
  // 400 figures, each the mean of two differences: 0.01 * sqrt(2 / 2) / sqrt(400)
  EXPECT_NEAR(summarise(a, b, 0).error, 0.01 / 20, 0.0001);
}

TEST(Statistics, TooFewPairsHaveNoInterval) {
  const Interval interval = interval_of(Synthetic{}.pairs(kFewestUnits - 1, 1), 0.05);
  EXPECT_TRUE(std::isinf(interval.high) && std::isinf(interval.low));
  EXPECT_TRUE(std::isfinite(interval_of(Synthetic{}.pairs(kFewestUnits, 1), 0.05).high));
  EXPECT_TRUE(std::isinf(interval_of({}, 0.05).high));
}

TEST(Statistics, SameSamplesSameInterval) {
  const auto pairs = Synthetic{}.pairs(40, 7);
  EXPECT_EQ(interval_of(pairs, 0.05).low, interval_of(pairs, 0.05).low);
}

// How often an interval covers the truth.
double coverage(const Synthetic& world, std::size_t pairs, int runs, double alpha = 0.05) {
  int covered = 0;
  for (int run = 0; run < runs; ++run) {
    const Interval interval =
        interval_of(world.pairs(pairs, static_cast<std::uint64_t>(run) + 1000), alpha, 300);
    if (interval.low <= world.gain && world.gain <= interval.high) ++covered;
  }
  return static_cast<double>(covered) / runs;
}

TEST(Statistics, IntervalsCoverTheTruth) {
  EXPECT_GE(coverage({.gain = 0.004}, 8, 400), 0.93);
  EXPECT_GE(coverage({.gain = 0.004}, 8, 400, 0.01), 0.98);
  EXPECT_GE(coverage({.gain = 0.004}, 40, 400), 0.93);
  EXPECT_LE(coverage({.gain = 0.004}, 40, 400), 0.98);
}

// Sixteen layouts on each side, each run ten times: what counts is the sixteen.
TEST(Statistics, IntervalsKnowThatLayoutsRepeat) {
  const Synthetic world{.gain = 0, .between_layouts = 0.015, .layouts = 16};
  EXPECT_GE(coverage(world, 160, 300), 0.92);
  EXPECT_EQ(unit_count(world.pairs(160, 1)), 16U);
  // The same pairs taken for independent ones cover the truth far less often.
  int covered = 0;
  for (std::uint64_t run = 0; run < 300; ++run) {
    auto pairs = world.pairs(160, run + 1000);
    for (PairSample& pair : pairs) pair.layout = 0;
    const Interval interval = interval_of(pairs, 0.05, 300);
    if (interval.low <= 0 && interval.high >= 0) ++covered;
  }
  EXPECT_LT(covered, 200);
}

TEST(Statistics, LayoutTaxIsWhatIsLeftWithoutNoise) {
  Synthetic world{.between_pairs = 0.01, .noise = 0.02, .outliers = 0};
  EXPECT_NEAR(layout_tax(world.pairs(5000, 3)).all, 0.01, 0.001);
  EXPECT_EQ(layout_tax(world.pairs(5000, 3)).relinks, 0);
  world.between_layouts = 0.03;
  world.layouts = 200;
  const LayoutTax tax = layout_tax(world.pairs(5000, 3));
  EXPECT_NEAR(tax.relinks, 0.03, 0.004);
  EXPECT_NEAR(tax.all, std::hypot(0.01, 0.03), 0.004);
  EXPECT_EQ(layout_tax({}).all, 0);
}

}  // namespace
