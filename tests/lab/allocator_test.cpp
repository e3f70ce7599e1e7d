#include "lab/allocator.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "lab/error.hpp"
#include "lab/lockstep.hpp"
#include "lab/workload.hpp"

namespace {

using namespace hakmem::lab;

constexpr const char* kSome = "/proc/self/exe";  // any file that can be read

std::string complaint(const std::vector<std::string>& words) {
  try {
    parse_allocators(words);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Allocator, IsNameAndLibrary) {
  const Allocator allocator = parse_allocator(std::string("mine=") + kSome);
  EXPECT_EQ(allocator.name, "mine");
  EXPECT_EQ(allocator.library, kSome);
  EXPECT_TRUE(allocator.environment.empty());
}

TEST(Allocator, WithoutLibraryIsLibc) {
  EXPECT_EQ(parse_allocator("libc=").library, "");
  EXPECT_EQ(parse_allocator("glibc").library, "");
}

TEST(Allocator, HasVariables) {
  const Allocator allocator = parse_allocator(std::string("m=") + kSome + ":A=1,B=x=y,C=");
  const Variables wanted = {{"A", "1"}, {"B", "x=y"}, {"C", ""}};
  EXPECT_EQ(allocator.environment, wanted);
  EXPECT_EQ(allocator.library, kSome);
}

TEST(Allocator, SaysWhatIsWrong) {
  EXPECT_NE(complaint({"nonsense"}).find("null, glibc, hakmem"), std::string::npos);
  EXPECT_NE(complaint({"=x.so"}).find("no name"), std::string::npos);
  EXPECT_NE(complaint({"a=/nowhere.so"}).find("cannot read"), std::string::npos);
  EXPECT_NE(complaint({"a=/"}).find("cannot read"), std::string::npos);
  EXPECT_NE(complaint({"a=:nonsense"}).find("VARIABLE=VALUE"), std::string::npos);
  EXPECT_NE(complaint({"a=:"}).find("VARIABLE=VALUE"), std::string::npos);
  EXPECT_NE(complaint({"a=", "a="}).find("two allocators"), std::string::npos);
  EXPECT_EQ(complaint({"a=", "b="}), "");
}

TEST(Workload, IsChecked) {
  const auto wrong = [](const Workload& workload) {
    EXPECT_THROW(check_workload(workload), UsageError) << workload.name << workload.threads;
  };
  check_workload({});
  check_workload({.name = "larson", .threads = 2});
  wrong({.name = "nonsense"});
  wrong({.name = "larson", .threads = 0});
  wrong({.name = "pairs", .threads = 1});
  wrong({.threads = 5000});
  wrong({.working_set = 0});
  wrong({.size_mask = 1000});
  wrong({.size_mask = 0});
}

TEST(Lockstep, OrderTurnsRoundAndRotates) {
  std::string order;
  for (std::size_t round = 0; round < 4; ++round)
    for (std::size_t turn = 0; turn < 2; ++turn)
      order += static_cast<char>('A' + side_at(round, turn, 2));
  EXPECT_EQ(order.substr(0, 4), "ABBA");
  // Of three each one comes first, and comes last.
  std::string first;
  for (std::size_t round = 0; round < 6; round += 2)
    first += static_cast<char>('A' + side_at(round, 0, 3));
  EXPECT_EQ(first, "ABC");
}

TEST(Process, OutputAndFailure) {
  EXPECT_EQ(output_of({.command = {"/bin/echo", "hello"}}), "hello\n");
  EXPECT_EQ(output_of({.command = {"/bin/sh", "-c", "echo $A"}, .environment = {{"A", "b"}}}),
            "b\n");
  EXPECT_THROW(output_of({.command = {"/nowhere"}}), ProcessFailure);
  EXPECT_THROW(output_of({.command = {"/bin/sleep", "5"}}, 0.05), ProcessFailure);
  try {
    output_of({.command = {"/bin/sh", "-c", "echo first >&2; echo last >&2; exit 3"}});
    FAIL();
  } catch (const ProcessFailure& failure) {
    EXPECT_STREQ(failure.what(), "/bin/sh ended with code 3: last");
  }
}

TEST(Process, KnowsWhatIsMapped) {
  EXPECT_TRUE(has_mapped(getpid(), "/proc/self/exe"));
  EXPECT_FALSE(has_mapped(getpid(), "/bin/sh"));
}

}  // namespace
