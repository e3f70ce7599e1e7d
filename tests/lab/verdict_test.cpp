#include "lab/verdict.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "synthetic.hpp"

namespace {

using namespace hakmem::lab;

constexpr double kHalfAPercent = 0.005;

TEST(Verdict, FollowsTheRuleAtItsBounds) {
  const struct {
    Interval interval;
    Verdict verdict;
  } cases[] = {
      {{0.005, 0.0001, 0.0099}, Verdict::kGo},           // just t, just above 0
      {{0.00499, 0.0001, 0.0099}, Verdict::kUndecided},  // not quite t
      {{0.02, 0.0, 0.04}, Verdict::kUndecided},          // touches 0
      {{0.005, 0.0045, 0.0055}, Verdict::kGo},
      {{-0.005, -0.0099, -0.0001}, Verdict::kNoGo},
      {{-0.00499, -0.0099, -0.0001}, Verdict::kUndecided},
      {{-0.02, -0.04, 0.0}, Verdict::kUndecided},
      {{0, -0.005, 0.005}, Verdict::kNeutral},
      {{0, -0.00501, 0.005}, Verdict::kUndecided},
      {{0, -0.005, 0.00501}, Verdict::kUndecided},
      {{0.003, 0.001, 0.0049}, Verdict::kNeutral},  // real, and too small to matter
      {{0.005, 0.005, 0.005}, Verdict::kGo},        // not NEUTRAL: GO goes first
      {{0.01, -INFINITY, INFINITY}, Verdict::kUndecided},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(name_of(judge(one.interval, kHalfAPercent)), name_of(one.verdict))
        << one.interval.low << " " << one.interval.estimate << " " << one.interval.high;
  }
}

TEST(Sequence, LooksShareTheErrorAmongThem) {
  double sum = 0;
  for (unsigned look = 1; look <= kLooks; ++look) sum += alpha_of_look(look);
  EXPECT_NEAR(sum, kAlpha, 1e-12);
  EXPECT_LT(alpha_of_look(1), alpha_of_look(kLooks));
}

TEST(Sequence, LooksAreDueOnceAndInOrder) {
  Sequence sequence(kHalfAPercent);
  EXPECT_FALSE(sequence.due(0.19));
  EXPECT_EQ(sequence.due(0.2), 1U);
  EXPECT_EQ(sequence.due(0.65), 3U);  // a long pair may skip looks
  EXPECT_FALSE(sequence.look(3, Synthetic{.between_pairs = 0.05}.pairs(20, 1)));
  EXPECT_FALSE(sequence.due(0.7));
  EXPECT_EQ(sequence.due(1), 5U);
  EXPECT_TRUE(sequence.look(5, Synthetic{.between_pairs = 0.05}.pairs(20, 1)));
  EXPECT_EQ(sequence.looks().size(), 2U);
  EXPECT_EQ(sequence.verdict(), Verdict::kUndecided);
}

struct Tally {
  int go = 0;
  int no_go = 0;
  int neutral = 0;
  int found = 0;  // the interval of the last look excludes 0 on the right side
  double looks = 0;
};

// Measurements of up to `pairs` pairs, ended by the sequential rule.
Tally simulate(const Synthetic& world, std::size_t pairs, int runs) {
  Tally tally;
  for (int run = 0; run < runs; ++run) {
    const auto all = world.pairs(pairs, static_cast<std::uint64_t>(run) + 5000);
    Sequence sequence(kHalfAPercent, 300);
    for (unsigned look = 1; look <= kLooks; ++look) {
      const std::vector<PairSample> seen(
          all.begin(), all.begin() + static_cast<std::ptrdiff_t>(pairs * look / kLooks));
      if (sequence.look(look, seen)) break;
    }
    tally.go += sequence.verdict() == Verdict::kGo;
    tally.no_go += sequence.verdict() == Verdict::kNoGo;
    tally.neutral += sequence.verdict() == Verdict::kNeutral;
    tally.found += sequence.looks().back().interval.low > 0;
    tally.looks += static_cast<double>(sequence.looks().size()) / runs;
  }
  return tally;
}

TEST(Sequence, OfIdenticalSidesFewAreCalledDifferent) {
  const Tally tally = simulate({}, 150, 300);
  EXPECT_LE(tally.go + tally.no_go, 300 * 5 / 100);
  EXPECT_GE(tally.neutral, 300 * 95 / 100);
  EXPECT_LT(tally.looks, 4);  // most end early
}

// Here precision is short of what a verdict needs; that must not make false ones.
TEST(Sequence, NoiseIsNotTakenForAnEffect) {
  const Tally tally = simulate({.between_pairs = 0.02, .outliers = 0.1}, 60, 300);
  EXPECT_LE(tally.go + tally.no_go, 300 * 5 / 100);
}

TEST(Sequence, PlantedEffectsAreFound) {
  EXPECT_GE(simulate({.gain = 0.01}, 150, 100).found, 97);
  EXPECT_GE(simulate({.gain = 0.005}, 150, 100).found, 90);
  EXPECT_GE(simulate({.gain = 0.01}, 150, 100).go, 97);
  EXPECT_EQ(simulate({.gain = -0.01}, 150, 100).go, 0);
}

// Looking at a 95 % interval each time and stopping when it pleases: what the rule is there
// against.
TEST(Sequence, PeekingWithoutTheRuleIsWrongMoreOften) {
  const Synthetic world{.between_pairs = 0.02};
  int peeked = 0;
  int ruled = 0;
  for (std::uint64_t run = 0; run < 200; ++run) {
    const auto all = world.pairs(100, run + 900);
    bool wrong = false;
    bool wrong_ruled = false;
    for (unsigned look = 1; look <= kLooks; ++look) {
      const std::vector<PairSample> seen(all.begin(),
                                         all.begin() + static_cast<std::ptrdiff_t>(20 * look));
      const Interval naive = interval_of(seen, 0.05, 300);
      const Interval fair = interval_of(seen, alpha_of_look(look), 300);
      wrong = wrong || naive.low > 0 || naive.high < 0;
      wrong_ruled = wrong_ruled || fair.low > 0 || fair.high < 0;
    }
    peeked += wrong;
    ruled += wrong_ruled;
  }
  EXPECT_GT(peeked, 200 * 8 / 100);
  EXPECT_LE(ruled, 200 * 5 / 100);
}

TEST(Sequence, PrecisionToExpectShrinksWithTheRootOfTime) {
  const auto pairs = Synthetic{}.pairs(50, 2);
  const double all = precision_to_expect(pairs, 1);
  EXPECT_NEAR(precision_to_expect(pairs, 0.25), all / 2, 1e-12);
  EXPECT_TRUE(std::isinf(precision_to_expect(Synthetic{}.pairs(3, 2), 0.1)));
}

}  // namespace
