// config/: the environment becomes the table of values, once.
#include <sys/wait.h>

#include <cstring>
#include <set>
#include <string>

#include "child.hpp"
#include "hakmem/config/options.hpp"

namespace hakmem::config {
namespace {

// A guinea pig: no test of this file lets it act.
constexpr const char* kVariable = "HAKMEM_PURGE_DELAY";

Environment with(const char* name, const char* value) {
  return {{"HAKMEM_PAGE_SIZE", nullptr}, {"HAKMEM_ARENA_BYTES", nullptr}, {name, value}};
}

TEST(Options, TableIsSound) {
  std::set<std::string> names;
  for (const OptionInfo& info : kOptions) {
    EXPECT_TRUE(std::string(info.variable).starts_with("HAKMEM_"));
    EXPECT_FALSE(std::string(info.variable).starts_with("HAKMEM_TEST_"));
    EXPECT_TRUE(names.insert(info.variable).second) << info.variable;
    EXPECT_GT(std::strlen(info.help), 10u);
    EXPECT_GT(std::strlen(info.unit), 0u);
    if (info.kind == Kind::hot) {  // one compiled form serves all profiles
      EXPECT_EQ(info.defaults[0], info.defaults[1]);
      EXPECT_EQ(info.defaults[1], info.defaults[2]);
    }
  }
}

TEST(Options, DefaultsOfEachProfile) {
  const Profile profiles[] = {Profile::speed, Profile::balanced, Profile::lean};
  for (const Profile expected : profiles) {
    const Outcome o = run_in_child(
        [&] {
          EXPECT_EQ(profile(), expected);
          for (std::size_t i = 0; i < kOptionCount; ++i) {
            EXPECT_EQ(values.value[i], option_default(i, expected)) << kOptions[i].variable;
            EXPECT_EQ(option_default(i, expected),
                      kOptions[i].defaults[static_cast<int>(expected)]);
          }
        },
        with("HAKMEM_PROFILE", profile_name(expected)));
    EXPECT_TRUE(o.exited_well());
    EXPECT_EQ(o.err, "");
  }
}

TEST(Options, BalancedIsTheDefault) {
  in_child([] { EXPECT_EQ(profile(), Profile::balanced); }, with("HAKMEM_PROFILE", nullptr));
  EXPECT_EQ(std::string(profile_name(Profile::speed)), "speed");
  EXPECT_EQ(std::string(profile_name(Profile::balanced)), "balanced");
  EXPECT_EQ(std::string(profile_name(Profile::lean)), "lean");
}

TEST(Options, UnknownProfileIsReported) {
  for (const char* wrong : {"", "fast", "Lean", "lean "}) {
    const Outcome o = run_in_child([] { EXPECT_EQ(profile(), Profile::balanced); },
                                   with("HAKMEM_PROFILE", wrong));
    EXPECT_TRUE(o.exited_well());
    ASSERT_EQ(o.messages().size(), 1u) << o.err;
    EXPECT_NE(o.err.find(std::string("not ") + wrong), std::string::npos);
  }
}

TEST(Options, NumbersAndSuffixes) {
  const struct {
    const char* text;
    std::uint64_t value;
  } good[] = {{"0", 0},
              {"007", 7},
              {"4096", 4096},
              {"18446744073709551615", UINT64_MAX},
              {"1K", 1024},
              {"3k", 3072},
              {"2M", 2u << 20},
              {"2m", 2u << 20},
              {"1G", 1u << 30},
              {"5g", 5ull << 30},
              {"17179869183G", 17179869183ull << 30},
              {"0G", 0}};
  for (const auto& [text, value] : good) {
    const Outcome o =
        run_in_child([value = value] { EXPECT_EQ(purge_delay(), value); }, with(kVariable, text));
    EXPECT_TRUE(o.exited_well()) << text;
    EXPECT_EQ(o.err, "");
  }
}

TEST(Options, WhatIsNoNumberIsReportedAndIgnored) {
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "K", "1KB", "1T", "0x10", "1.5", "one",
                           "18446744073709551616", "17179869184G", "99999999999999999999999"}) {
    const Outcome o =
        run_in_child([] { EXPECT_EQ(purge_delay(), option_default(0, Profile::balanced)); },
                     with(kVariable, text));
    EXPECT_TRUE(o.exited_well()) << text;
    ASSERT_EQ(o.messages().size(), 1u) << text << ": " << o.err;
    EXPECT_NE(o.err.find(kVariable), std::string::npos);
  }
}

// Each variable sets its own value and no other. The number is no page size and no call's number.
TEST(Options, EachVariableSetsItsOwnValue) {
  for (std::size_t i = 0; i < kOptionCount; ++i) {
    const bool frozen = kOptions[i].kind == Kind::hot && std::string(flavour()) == "release";
    const Outcome o = run_in_child(
        [&] {
          for (std::size_t j = 0; j < kOptionCount; ++j) {
            EXPECT_EQ(values.value[j],
                      i == j && !frozen ? 12345 : option_default(j, Profile::balanced));
          }
        },
        with(kOptions[i].variable, "12345"));
    EXPECT_TRUE(o.exited_well()) << kOptions[i].variable;
    EXPECT_EQ(o.messages().size(), frozen ? 1u : 0u) << o.err;
  }
}

TEST(Options, ProfileAndVariableTogether) {
  in_child(
      [] {
        EXPECT_EQ(profile(), Profile::lean);
        EXPECT_EQ(purge_delay(), 9u);
        EXPECT_EQ(empty_slabs(), 0u);
      },
      {{"HAKMEM_PROFILE", "lean"}, {kVariable, "9"}});
}

TEST(Options, UnknownVariablesAreReportedOnce) {
  const Outcome o = run_in_child(
      [] {
        load();
        load();
      },
      {{"HAKMEM_NO_SUCH", "1"},
       {"HAKMEM_PURGE_DELAYS", "1"},
       {"HAKMEM_", "1"},
       {"HAKMEM_TEST_SCALE", "7"},
       {"NOT_HAKMEM_", "1"}});
  EXPECT_TRUE(o.exited_well());
  EXPECT_EQ(o.messages().size(), 3u) << o.err;
  EXPECT_NE(o.err.find("HAKMEM_NO_SUCH\n"), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("HAKMEM_PURGE_DELAYS\n"), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("HAKMEM_\n"), std::string::npos) << o.err;
}

TEST(Options, LongNamesAreCut) {
  const std::string name = "HAKMEM_" + std::string(1000, 'X');
  const Outcome o = run_in_child([] {}, {{name.c_str(), "1"}});
  EXPECT_TRUE(o.exited_well());
  ASSERT_EQ(o.messages().size(), 1u);
  EXPECT_LT(o.messages()[0].size(), 200u);
  EXPECT_NE(o.err.find("HAKMEM_XXXX"), std::string::npos);
}

TEST(Options, HotGateIsLiveInTheLabAndFrozenInTheRelease) {
  const bool release = std::string(flavour()) == "release";
  for (const char* text : {"0", "1"}) {
    const std::uint64_t asked = text[0] == '1';
    const Outcome o = run_in_child([&] { EXPECT_EQ(c7_ultra_inline(), release ? 1 : asked); },
                                   with("HAKMEM_TINY_C7_ULTRA_INLINE_OPT", text));
    EXPECT_TRUE(o.exited_well());
    if (release && asked == 0) {
      ASSERT_EQ(o.messages().size(), 1u);
      EXPECT_NE(o.err.find("frozen in the release flavour"), std::string::npos) << o.err;
      EXPECT_NE(o.err.find("HAKMEM_TINY_C7_ULTRA_INLINE_OPT"), std::string::npos) << o.err;
    } else {
      EXPECT_EQ(o.err, "");
    }
  }
}

TEST(Options, LaterChangesOfTheEnvironmentAreNotSeen) {
  in_child(
      [] {
        setenv(kVariable, "8", 1);
        load();
        EXPECT_EQ(purge_delay(), 7u);
      },
      with(kVariable, "7"));
}

TEST(Options, ValuesAreSealed) {
  const Outcome o = run_in_child([] { const_cast<volatile std::uint64_t&>(values.value[0]) = 1; });
  EXPECT_FALSE(o.exited_well());
}

}  // namespace
}  // namespace hakmem::config
