// The command line of `hakmem ab` and `hakmem ledger`: shapes and errors, no timings.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tools/process.hpp"

namespace {

using nlohmann::json;

Outcome ab(std::vector<std::string> words) {
  words.insert(words.begin(), {HAKMEM_COMMAND, "ab"});
  return run_program(words);
}

const std::string kA = "one=" NULL_LIBRARY;
const std::string kB = "two=" NULL_LIBRARY;

json measured(std::vector<std::string> words) {
  words.emplace(words.begin(), "--json");
  const Outcome outcome = ab(words);
  EXPECT_EQ(outcome.code(), 0) << outcome.err;
  return json::parse(outcome.out);
}

void expect_shape(const json& result) {
  const auto verdict = result.at("verdict").get<std::string>();
  EXPECT_TRUE(verdict == "GO" || verdict == "NO-GO" || verdict == "NEUTRAL" ||
              verdict == "UNDECIDED");
  const json& gain = result.at("gain");
  if (!gain.at("low").is_null()) {
    EXPECT_LE(gain.at("low").get<double>(), gain.at("estimate").get<double>());
    EXPECT_LE(gain.at("estimate").get<double>(), gain.at("high").get<double>());
  }
  EXPECT_GE(result.at("pairs").size(), 1U);
  EXPECT_GE(result.at("layout_tax").at("all").get<double>(), 0);
  EXPECT_EQ(result.at("a").at("name"), "one");
}

TEST(Ab, MixedInLockstep) {
  const json result = measured({kA, kB, "--budget", "1.5s", "--seed", "7"});
  expect_shape(result);
  EXPECT_EQ(result.at("seed"), 7);
  EXPECT_EQ(result.at("b").at("sha256")[0].get<std::string>().size(), 64U);
  EXPECT_EQ(result.at("threshold"), 0.005);
  EXPECT_EQ(result.at("looks").back().at("pairs"), result.at("pairs").size());
}

TEST(Ab, ThreadsAndMemory) {
  const json result =
      measured({"one=", "two=", "--workload", "larson", "--metric", "rss", "--budget", "1"});
  expect_shape(result);
  EXPECT_EQ(result.at("threshold"), 0.02);
}

TEST(Ab, ACommand) {
  const json result = measured({kA, kB, "--metric", "faults", "--budget", "1s", "--", "/bin/true"});
  expect_shape(result);
  EXPECT_EQ(result.at("workload"), "/bin/true");
}

TEST(Ab, NaiveMethod) {
  const json result = measured({kA, kB, "--method", "naive", "--budget", "0.5s"});
  EXPECT_EQ(result.at("pairs").size(), 10U);
  EXPECT_TRUE(result.at("naive").get<bool>());
}

TEST(Ab, ExitCodeAndText) {
  // A buffer eight times as large: no noise can hide that.
  const Outcome outcome =
      ab({"glibc:BYTES=1M", "glibc:BYTES=8M", "--metric", "rss", "--budget", "3s", "--exit-code",
          "--", "/bin/sh", "-c", "dd if=/dev/zero of=/dev/null bs=$BYTES count=1"});
  EXPECT_EQ(outcome.code(), 11) << outcome.out << outcome.err;
  for (const char* part : {"gain of B", "layout tax", "evidence", "NO-GO", "layout was not varied"})
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part;
}

TEST(Ab, UsageErrorsAreOneLineAndCodeTwo) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {kA},
      {kA, kB, "third=" NULL_LIBRARY},
      {kA, "nonsense"},
      {kA, "x=/nowhere.so"},
      {kA, kB, "--workload", "nonsense"},
      {kA, kB, "--workload", "pairs", "--threads", "1"},
      {kA, kB, "--metric", "nonsense"},
      {kA, kB, "--threshold", "much"},
      {kA, kB, "--threshold", "-1%"},
      {kA, kB, "--budget", "soon"},
      {kA, kB, "--method", "guess"},
      {kA, kB, "--witness", "me"},
      {kA, kB, "--witness", "instructions", "--workload", "larson"},
      {kA, kB, "--seed", "0"},
      {kA, kB, "--layouts", "0"},
      {kA, kB, "--size-mask", "1000"},
      {kA, "hakmem:HAKMEM_NO_SUCH_GATE=1"},
      {kA, kB, "--ledger", "x"},
      {kA, kB, "--risk", "x"},
      {kA, kB, "--unknown"}};
  for (const auto& words : wrong) {
    const Outcome outcome = ab(words);
    const std::string last = words.empty() ? "" : words.back();
    EXPECT_EQ(outcome.code(), 2) << last;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_NE(outcome.err.find("--help"), std::string::npos) << outcome.err;
  }
}

TEST(Ab, AFailingCommandIsNamed) {
  const Outcome outcome = ab({kA, kB, "--", "/bin/false"});
  EXPECT_EQ(outcome.code(), 125);
  EXPECT_NE(outcome.err.find("/bin/false under one: ended with code 1"), std::string::npos)
      << outcome.err;
  EXPECT_EQ(ab({kA, kB, "--", "/no/such/program"}).code(), 125);
}

TEST(Ab, WritesTheLedgerAndLedgerReadsIt) {
  const auto folder = std::filesystem::temp_directory_path() / ("ab." + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const Outcome written =
      ab({kA, kB, "--method", "naive", "--budget", "0.3s", "--ledger", "null-twice", "--hypothesis",
          "none", "--expect", "nothing", "--risk", "none", "--ledger-dir", folder});
  EXPECT_EQ(written.code(), 0) << written.err;
  const auto ledger = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {HAKMEM_COMMAND, "ledger", "--ledger-dir", folder});
    return run_program(words);
  };
  EXPECT_NE(ledger({}).out.find("null-twice"), std::string::npos);
  EXPECT_EQ(ledger({"1", "--decide", "research"}).code(), 0);
  EXPECT_EQ(json::parse(ledger({"1", "--json"}).out).at("decision"), "research");
  const Outcome again = ledger({"1", "--rerun"});
  EXPECT_EQ(again.code(), 0) << again.err;
  EXPECT_NE(again.out.find("verdict"), std::string::npos);
  EXPECT_EQ(ledger({"2"}).code(), 2);
  EXPECT_EQ(ledger({"--rerun"}).code(), 2);
  std::filesystem::remove_all(folder);
}

}  // namespace
