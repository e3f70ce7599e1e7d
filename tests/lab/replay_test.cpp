// Replays what script/lab-proof recorded: the same pairs must give the same verdicts, and the rates
// must be those that docs/lab.md promises.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "lab/verdict.hpp"

namespace {

using namespace hakmem::lab;
using nlohmann::json;

constexpr double kThreshold = 0.005;

json recorded(const std::string& series) {
  std::ifstream file(std::string(SOURCE_DIR "/docs/lab/") + series + ".json");
  return json::parse(file).at("runs");
}

// The sequence of looks over the pairs of a recorded run.
Sequence replay(const json& run) {
  std::vector<PairSample> pairs;
  for (const json& pair : run.at("pairs"))
    pairs.push_back(
        {pair[0].get<double>() / 1e6, pair[1].get<double>() / 1e6, pair[2].get<std::uint32_t>()});
  Sequence sequence(kThreshold);
  bool over = false;
  for (const json& look : run.at("looks")) {
    EXPECT_FALSE(over) << "it went on after a verdict";
    const auto seen = static_cast<std::ptrdiff_t>(look[1].get<std::size_t>());
    over = sequence.look(look[0].get<unsigned>(), {pairs.begin(), pairs.begin() + seen});
  }
  EXPECT_TRUE(over) << "it ended without a verdict before the last look";
  return sequence;
}

struct Rates {
  double runs = 0;
  double called = 0;  // GO or NO-GO
  double neutral = 0;
  double found = 0;  // B is slower, says the interval
};

Rates rates_of(const std::string& series) {
  Rates rates;
  for (const json& run : recorded(series)) {
    const Sequence sequence = replay(run);
    const Verdict verdict = sequence.verdict();
    EXPECT_EQ(name_of(verdict), run.at("verdict").get<std::string>())
        << series << ", seed " << run.at("seed");
    rates.runs += 1;
    rates.called += verdict == Verdict::kGo || verdict == Verdict::kNoGo;
    rates.neutral += verdict == Verdict::kNeutral;
    rates.found += sequence.looks().back().interval.high < 0;
  }
  return rates;
}

// A hundred runs, each in the default budget, the other CPU loaded.
TEST(Replay, IdenticalSides) {
  const Rates rates = rates_of("same");
  EXPECT_GE(rates.runs, 100);
  EXPECT_LE(rates.called, 0.05 * rates.runs);
  EXPECT_GE(rates.neutral, 0.75 * rates.runs);
}

TEST(Replay, PlantedOnePercent) {
  const Rates rates = rates_of("planted-1");
  EXPECT_GE(rates.runs, 100);
  EXPECT_GE(rates.found, 0.95 * rates.runs);
}

TEST(Replay, PlantedHalfAPercent) {
  const Rates rates = rates_of("planted-0.5");
  EXPECT_GE(rates.runs, 100);
  EXPECT_GE(rates.found, 0.80 * rates.runs);
}

TEST(Replay, RelinkedSource) {
  const Rates rates = rates_of("relinked");
  EXPECT_GE(rates.runs, 100);
  EXPECT_LE(rates.called, 0.05 * rates.runs);
}

// The same source, compared as it is usually done.
TEST(Replay, NaiveMethodIsWrongFarMoreOften) {
  double runs = 0;
  double called = 0;
  for (const json& run : recorded("relinked-naive")) {
    const double gain = run.at("gain")[0].get<double>();
    const Verdict verdict = judge({gain, gain, gain}, kThreshold);
    EXPECT_EQ(name_of(verdict), run.at("verdict").get<std::string>());
    runs += 1;
    called += verdict == Verdict::kGo || verdict == Verdict::kNoGo;
  }
  EXPECT_GE(called, 0.25 * runs);
}

}  // namespace
