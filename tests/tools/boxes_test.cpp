// hakmem boxes: the printed table is the table.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "hakmem/config/options.hpp"
#include "process.hpp"

namespace {

namespace config = hakmem::config;
using Json = nlohmann::json;

Json boxes_as_json(const std::map<std::string, std::string>& environment = {}) {
  return Json::parse(run_program({HAKMEM_COMMAND, "boxes", "--json"}, environment).out);
}

Json option_named(const Json& document, const std::string& variable) {
  for (const Json& option : document["options"]) {
    if (option["variable"] == variable) return option;
  }
  return nullptr;
}

TEST(Boxes, ListsEveryOption) {
  const Outcome outcome = run_program({HAKMEM_COMMAND, "boxes"});
  EXPECT_EQ(outcome.code(), 0);
  EXPECT_EQ(outcome.err, "");
  for (std::size_t i = 0; i < config::kOptionCount; ++i) {
    const config::OptionInfo& info = config::kOptions[i];
    std::istringstream lines(outcome.out);
    std::string line;
    const std::string variable = std::string(" ") + info.variable + ' ';
    while (std::getline(lines, line) && line.find(variable) == std::string::npos) {
    }
    std::string meaning;
    std::getline(lines, meaning);
    EXPECT_NE(meaning.find(info.help), std::string::npos) << info.variable << '\n' << outcome.out;
  }
}

TEST(Boxes, JsonTellsWhatTheTableTells) {
  const Json document = boxes_as_json();
  EXPECT_EQ(document["flavour"], config::flavour());
  ASSERT_EQ(document["options"].size(), config::kOptionCount);
  for (std::size_t i = 0; i < config::kOptionCount; ++i) {
    const config::OptionInfo& info = config::kOptions[i];
    const Json& option = document["options"][i];
    const bool hot = info.kind == config::Kind::hot;
    EXPECT_EQ(option["variable"], info.variable);
    EXPECT_EQ(option["help"], info.help);
    EXPECT_EQ(option["kind"], hot ? "hot" : "cold");
    EXPECT_EQ(option["frozen"], hot && document["flavour"] == "release");
    EXPECT_EQ(option["default"]["lean"], config::option_default(i, config::Profile::lean));
  }
}

TEST(Boxes, ValuesAreThoseOfTheEnvironment) {
  EXPECT_EQ(option_named(boxes_as_json({{"HAKMEM_STATS", "0"}}), "HAKMEM_STATS")["value"], 0);
  EXPECT_EQ(option_named(boxes_as_json({{"HAKMEM_STATS", "1"}}), "HAKMEM_STATS")["value"], 1);
}

TEST(Boxes, ValuesAreThoseOfTheProfile) {
  for (const char* profile : {"speed", "balanced", "lean"}) {
    const Json document = boxes_as_json({{"HAKMEM_PROFILE", profile}});
    EXPECT_EQ(document["profile"], profile);
    for (const Json& option : document["options"]) {
      if (option["frozen"]) continue;
      EXPECT_EQ(option["value"], option["default"][profile]) << profile << ' ' << option;
    }
  }
}

TEST(Boxes, ReportsUnknownVariables) {
  const Outcome outcome = run_program({HAKMEM_COMMAND, "boxes"}, {{"HAKMEM_NO_SUCH_OPTION", "1"}});
  EXPECT_EQ(outcome.code(), 0);
  EXPECT_NE(outcome.err.find("HAKMEM_NO_SUCH_OPTION"), std::string::npos) << outcome.err;
}

TEST(Boxes, FailsWhenTheOutputCannotBeWritten) {
  const Outcome outcome =
      run_program({"sh", "-c", "exec \"$0\" boxes > /dev/full", HAKMEM_COMMAND});
  EXPECT_EQ(outcome.code(), 125);
  EXPECT_NE(outcome.err.find("No space left"), std::string::npos) << outcome.err;
}

}  // namespace
