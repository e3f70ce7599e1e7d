// Real programs: what they print and how they end must be the same with the library preloaded.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>
#include <vector>

#include "system/run.hpp"

namespace {

struct Line {
  std::string name;
  std::string shell;
};

void PrintTo(const Line& line, std::ostream* out) { *out << line.shell; }

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<Line> table() {
  std::vector<Line> result;
  std::ifstream file(HAKMEM_COMMANDS_DIR "/commands.table");
  for (std::string text; std::getline(file, text);) {
    const auto bar = text.find('|');
    if (text.empty() || text[0] == '#' || bar == std::string::npos) continue;
    result.push_back({trimmed(text.substr(0, bar)), trimmed(text.substr(bar + 1))});
  }
  return result;
}

class Commands : public testing::TestWithParam<Line> {
 protected:
  static void SetUpTestSuite() {
    root_ = new run::TemporaryDirectory;
    std::filesystem::create_directory(prepared());
    const run::Outcome made =
        run::run({.arguments = {HAKMEM_COMMANDS_DIR "/prepare.sh"}, .directory = prepared()});
    ASSERT_TRUE(made.succeeded()) << made.describe();
  }

  static void TearDownTestSuite() { delete root_; }

  static std::string prepared() { return root_->path() + "/prepared"; }

  // Every run has a fresh copy at the same path, since a path may be part of the output.
  static run::Outcome run_in_copy(run::Command command) {
    namespace fs = std::filesystem;
    const std::string place = root_->path() + "/place";
    fs::copy(prepared(), place, fs::copy_options::recursive);
    command.directory = place;
    command.environment.emplace_back("HOME", place);
    const run::Outcome outcome = run::run(command);
    fs::remove_all(place);
    return outcome;
  }

 private:
  static run::TemporaryDirectory* root_;
};

run::TemporaryDirectory* Commands::root_ = nullptr;

TEST_P(Commands, SameWithTheLibrary) {
  const run::Command command{.arguments = {"bash", "-o", "pipefail", "-c", GetParam().shell},
                             .environment = {{"GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z"},
                                             {"GIT_AUTHOR_DATE", "2020-01-01T00:00:00Z"}}};
  const run::Outcome without = run_in_copy(command);
  ASSERT_TRUE(without.succeeded()) << GetParam().shell << ": " << without.describe();
  ASSERT_FALSE(without.out.empty()) << GetParam().shell << ": prints nothing to compare";
  const run::Outcome with = run_in_copy(run::preloaded(command));
  EXPECT_EQ(with.exit_code, without.exit_code) << with.describe();
  EXPECT_EQ(with.out, without.out) << with.describe();
  EXPECT_EQ(with.err, without.err) << with.describe();
}

INSTANTIATE_TEST_SUITE_P(Everyday, Commands, testing::ValuesIn(table()), [](const auto& line) {
  std::string name = line.param.name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
});

TEST(CommandsTable, HoldsTheProgramsThatMustRun) {
  std::vector<std::string> names;
  for (const Line& line : table()) names.push_back(line.name);
  EXPECT_GE(names.size(), 100u);
  for (const char* wanted : {"python3", "sqlite3", "git_log", "perl", "php", "lua", "gcc", "jq"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), wanted), names.end()) << wanted;
  }
}

}  // namespace
