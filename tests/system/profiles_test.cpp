// The three profiles: after the same churn lean holds less than balanced, and balanced no more than
// speed.
#include <gtest/gtest.h>

#include <cstdio>

#include "system/run.hpp"

namespace {

double resident_mib(const std::string& profile) {
  const run::Outcome outcome = run::run(run::preloaded(
      {.arguments = {HAKMEM_PROGRAMS_DIR "/scenarios_preloaded", "resident_after_churn"},
       .environment = {{"HAKMEM_PROFILE", profile}}}));
  unsigned long long bytes = 0;
  EXPECT_EQ(std::sscanf(outcome.out.c_str(), "RESIDENT %llu", &bytes), 1) << outcome.describe();
  return static_cast<double>(bytes) / (1 << 20);
}

TEST(Profiles, LeanHoldsLessThanBalancedAndBalancedNoMoreThanSpeed) {
  const double lean = resident_mib("lean");
  const double balanced = resident_mib("balanced");
  const double speed = resident_mib("speed");
  std::printf("after the same churn, MiB: lean %.1f, balanced %.1f, speed %.1f\n", lean, balanced,
              speed);
  EXPECT_LT(lean, 0.9 * balanced);
  // The same memory with a page or two of chance.
  EXPECT_LE(balanced, speed + 0.5);
}

}  // namespace
