// Memory system calls that fail: the n-th by HAKMEM_FAIL_OS_CALL, and windows of many.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

#include "system/run.hpp"

namespace {

const std::string kScenario = "survives_a_failing_system_call";

run::Outcome run_failing(int n) {
  return run::run(run::preloaded({.arguments = {run::kPrograms + "/scenarios_preloaded", kScenario},
                                  .environment = {{"HAKMEM_FAIL_OS_CALL", std::to_string(n)}}}));
}

// The memory system calls that the kernel saw when the n-th failed, without their addresses. The
// loader's are among them.
std::string trace_failing(int n) {
  const run::TemporaryDirectory directory;
  const std::string log = directory.path() + "/log";
  run::run(run::preloaded({.arguments = {"strace", "-qq", "-e", "trace=memory", "-o", log,
                                         run::kPrograms + "/scenarios_preloaded", kScenario},
                           .environment = {{"HAKMEM_FAIL_OS_CALL", std::to_string(n)}}}));
  std::ifstream file(log);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return std::regex_replace(text, std::regex("0x[0-9a-f]+"), "ADDRESS");
}

TEST(FailingSystemCall, IsSurvivedWhicheverItIs) {
  const std::string undisturbed = trace_failing(0);
  const auto calls = static_cast<int>(std::count(undisturbed.begin(), undisturbed.end(), '\n'));
  ASSERT_GT(calls, 10);
  for (int n = 1; n <= calls; ++n) {
    const run::Outcome outcome = run_failing(n);
    EXPECT_TRUE(outcome.succeeded()) << "call " << n << ": " << outcome.describe();
  }
  EXPECT_NE(trace_failing(1), undisturbed) << "HAKMEM_FAIL_OS_CALL=1 changes nothing";
}

TEST(FailingSystemCall, WithoutFailureNothingIsNull) {
  const run::Outcome outcome = run_failing(0);
  EXPECT_EQ(outcome.out, "NULL 0\nok\n") << outcome.describe();
}

// From every n on, one call or many in a row: see failing_calls.cpp.
TEST(FailingSystemCalls, InEveryWindowAreSurvived) {
  const run::Outcome outcome = run::run({.arguments = {run::kPrograms + "/failing_calls"}});
  EXPECT_TRUE(outcome.succeeded()) << outcome.describe();
  EXPECT_NE(outcome.out.find("ok\n"), std::string::npos) << outcome.describe();
}

}  // namespace
