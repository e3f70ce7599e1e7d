// Every scenario of tests/system/scenarios, with the library preloaded and linked statically.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <map>
#include <ostream>
#include <regex>
#include <sstream>

#include "system/run.hpp"

namespace {

struct Case {
  std::string scenario;
  bool statically;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.scenario << (c.statically ? ", static" : ", preloaded");
}

// Scenarios that want less of something from their start.
struct Limit {
  int resource;
  rlim_t bytes;
};
const std::map<std::string, Limit> kLimits{
    {"ulimit_v_gives_700_mb_in_pieces", {RLIMIT_AS, 1024 * run::kMiB}},
    {"exhausted_address_space", {RLIMIT_AS, 384 * run::kMiB}},
    {"exhausted_by_two_threads", {RLIMIT_AS, 384 * run::kMiB}},
    {"new_throws_and_handler_saves", {RLIMIT_AS, 384 * run::kMiB}},
    {"exhausted_data_segment", {RLIMIT_DATA, 384 * run::kMiB}}};

// How much memory there is, or is not, is no matter of how the library came in: once is enough.
const std::regex kAmounts(
    "^(metadata|reallocs_leave|strerror_in|short_threads_hold|sleeping|trim_gives|a_heap_that_"
    "shrank|exhausted_|lowers_its_own|ulimit_v)");

bool must_die(const std::string& scenario) { return scenario.rfind("dies_", 0) == 0; }

std::vector<Case> cases(bool dying) {
  const run::Outcome listed = run::run({.arguments = {run::kPrograms + "/scenarios_preloaded"}});
  std::vector<Case> result;
  std::istringstream names(listed.out);
  for (std::string name; std::getline(names, name);) {
    if (must_die(name) != dying || name == "writes_past_the_end") continue;
    result.push_back({name, false});
    if (!std::regex_search(name, kAmounts)) result.push_back({name, true});
  }
  return result;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return info.param.scenario + (info.param.statically ? "_static" : "_preloaded");
}

run::Outcome run_case(const Case& c) {
  run::Command command{.arguments = {run::kPrograms + "/scenarios_preloaded", c.scenario}};
  if (const auto found = kLimits.find(c.scenario); found != kLimits.end()) {
    command.before_exec = [limit = found->second] {
      const rlimit value{limit.bytes, limit.bytes};
      setrlimit(static_cast<__rlimit_resource>(limit.resource), &value);
    };
  }
  if (!c.statically) return run::run(run::preloaded(command));
  command.arguments[0] = run::kPrograms + "/scenarios_static";
  command.environment = {{"HAKMEM_TEST_SHARE", "4"}};  // how long it lives was seen above
  return run::run(command);
}

class Works : public testing::TestWithParam<Case> {};

TEST_P(Works, EndsWellAndSilently) {
  const run::Outcome outcome = run_case(GetParam());
  EXPECT_TRUE(outcome.succeeded()) << outcome.describe();
  EXPECT_NE(outcome.out.find("ok\n"), std::string::npos) << outcome.describe();
  EXPECT_EQ(outcome.err, "");
}

class Dies : public testing::TestWithParam<Case> {};

TEST_P(Dies, ByAbortWithOneLine) {
  const run::Outcome outcome = run_case(GetParam());
  EXPECT_EQ(outcome.signal, SIGABRT) << outcome.describe();
  if (GetParam().scenario == "dies_foreign_nonsense") {
    EXPECT_NE(outcome.err, "");
    return;
  }
  const std::string address = outcome.out.substr(0, outcome.out.find('\n'));
  EXPECT_TRUE(std::regex_match(outcome.err, std::regex("hakmem: [^\\n]*" + address + "\\b.*\\n")))
      << "wants one line that names " << address << "\n"
      << outcome.describe();
}

INSTANTIATE_TEST_SUITE_P(Scenario, Works, testing::ValuesIn(cases(false)), name_of);
INSTANTIATE_TEST_SUITE_P(Scenario, Dies, testing::ValuesIn(cases(true)), name_of);

}  // namespace
