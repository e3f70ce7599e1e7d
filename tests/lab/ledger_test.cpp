#include "lab/ledger.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "lab/error.hpp"

namespace {

using namespace hakmem::lab;
namespace fs = std::filesystem;

const fs::path kRealLedger = SOURCE_DIR "/docs/experiments";

std::string contents_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Ledger : public testing::Test {
 protected:
  Ledger() { fs::create_directories(folder); }
  ~Ledger() override { fs::remove_all(folder); }
  fs::path folder = fs::temp_directory_path() / ("ledger." + std::to_string(getpid()));

  static LedgerEntry entry(const std::string& name) {
    LedgerEntry made;
    made.name = name;
    made.date = "2026-01-02";
    made.hypothesis = "fewer loads";
    made.expect = "+1 %";
    made.risk = "none";
    made.verdict = "NEUTRAL";
    return made;
  }
};

TEST_F(Ledger, NumbersEntriesInTurn) {
  LedgerEntry first = entry("first");
  LedgerEntry second = entry("second");
  EXPECT_EQ(write_entry(folder, first).filename(), "001-first.md");
  EXPECT_EQ(write_entry(folder, second).filename(), "002-second.md");
  EXPECT_EQ(read_ledger(folder).size(), 2U);
  EXPECT_EQ(find_entry(folder, "2").name, "second");
  EXPECT_EQ(find_entry(folder, "002").name, "second");
  EXPECT_EQ(find_entry(folder, "first").number, 1U);
  EXPECT_THROW(find_entry(folder, "3"), UsageError);
}

TEST_F(Ledger, KeepsAllThatIsSaid) {
  LedgerEntry written = entry("all");
  written.reported = "elsewhere";
  write_entry(folder, written);
  EXPECT_EQ(json_of(find_entry(folder, "all")), json_of(written));
  const std::string text = contents_of(folder / "001-all.md");
  for (const char* part : {"# 001 all", "fewer loads", "+1 %", "NEUTRAL", "open",
                           "Reported, not measured here: elsewhere"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST_F(Ledger, ADecisionReplacesTheEntry) {
  LedgerEntry written = entry("one");
  write_entry(folder, written);
  written.decision = "adopted";
  write_entry(folder, written);
  ASSERT_EQ(read_ledger(folder).size(), 1U);
  EXPECT_EQ(find_entry(folder, "1").decision, "adopted");
}

TEST_F(Ledger, RefusesWhatIsNoEntry) {
  for (const char* name : {"", "Upper", "a b", "../x", "-x"}) {
    LedgerEntry wrong = entry(name);
    EXPECT_THROW(write_entry(folder, wrong), UsageError) << name;
  }
  LedgerEntry wrong = entry("x");
  wrong.decision = "maybe";
  EXPECT_THROW(write_entry(folder, wrong), UsageError);
  EXPECT_THROW(read_ledger(folder / "missing"), UsageError);
  std::ofstream(folder / "001-broken.json") << "{}";
  EXPECT_THROW(read_ledger(folder), std::runtime_error);
}

// The project's own: numbered without gaps, each text the one that its JSON gives.
TEST(OwnLedger, IsConsistent) {
  unsigned number = 0;
  for (const LedgerEntry& entry : read_ledger(kRealLedger)) {
    EXPECT_EQ(entry.number, ++number) << entry.name;
    char stem[100];
    std::snprintf(stem, sizeof stem, "%03u-%s", entry.number, entry.name.c_str());
    EXPECT_TRUE(fs::exists(kRealLedger / (std::string(stem) + ".json"))) << stem;
    EXPECT_EQ(contents_of(kRealLedger / (std::string(stem) + ".md")), markdown_of(entry));
    EXPECT_NE(entry.reported.empty(), entry.experiment.is_null()) << stem;
  }
  EXPECT_GE(number, 6U);
}

}  // namespace
