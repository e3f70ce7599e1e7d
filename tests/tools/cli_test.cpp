// The hakmem command as a shell sees it: `run`, usage errors, help.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>

#include "process.hpp"

namespace {

using Words = std::vector<std::string>;

Outcome hakmem(Words words, const std::map<std::string, std::string>& environment = {}) {
  words.insert(words.begin(), HAKMEM_COMMAND);
  return run_program(words, environment);
}

Outcome hakmem_run_shell(const std::string& script, Words options = {},
                         const std::map<std::string, std::string>& environment = {}) {
  options.insert(options.begin(), "run");
  options.insert(options.end(), {"--", "sh", "-c", script});
  return hakmem(options, environment);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Run, KeepsExitCodes) {
  for (const int code : {0, 1, 2, 3, 125, 126, 127, 255}) {
    EXPECT_EQ(hakmem_run_shell("exit " + std::to_string(code)).code(), code);
  }
}

TEST(Run, KeepsDeathBySignal) {
  EXPECT_EQ(hakmem_run_shell("kill -KILL $$").code(), -SIGKILL);
  EXPECT_EQ(hakmem_run_shell("kill -TERM $$").code(), -SIGTERM);
}

TEST(Run, SaysWhenTheProgramIsNotFound) {
  const Outcome outcome = hakmem({"run", "--", "no-such-program-anywhere"});
  EXPECT_EQ(outcome.code(), 127);
  EXPECT_EQ(outcome.err, "hakmem run: no-such-program-anywhere: command not found\n");
  EXPECT_EQ(hakmem({"run", "--", "/no/such/program"}).code(), 127);
}

TEST(Run, SaysWhenTheProgramCannotBeExecuted) {
  const Outcome outcome = hakmem({"run", "--", "/etc/passwd"});
  EXPECT_EQ(outcome.code(), 126);
  EXPECT_EQ(outcome.err, "hakmem run: /etc/passwd: Permission denied\n");
  EXPECT_EQ(hakmem({"run", "--", "/"}).code(), 126);
}

TEST(Run, LoadsTheLibraryThatBelongsToTheCommand) {
  const Outcome outcome = hakmem({"run", "--", "cat", "/proc/self/maps"});
  const auto folder = std::filesystem::canonical(HAKMEM_COMMAND).parent_path();
  EXPECT_TRUE(contains(outcome.out, (folder / "libhakmem.so").string())) << outcome.out;
}

TEST(Run, FindsTheLibraryThroughALinkToTheCommand) {
  const std::string link = ::testing::TempDir() + "hakmem-link-" + std::to_string(getpid());
  std::filesystem::create_symlink(HAKMEM_COMMAND, link);
  const Outcome outcome = run_program({link, "run", "--", "cat", "/proc/self/maps"});
  std::filesystem::remove(link);
  EXPECT_TRUE(contains(outcome.out, "/libhakmem.so")) << outcome.out;
}

TEST(Run, KeepsWhatWasPreloaded) {
  const Outcome outcome =
      hakmem_run_shell("echo \"$LD_PRELOAD\"", {}, {{"LD_PRELOAD", MARKER_LIBRARY}});
  EXPECT_TRUE(contains(outcome.out, "/libhakmem.so")) << outcome.out;
  EXPECT_TRUE(contains(outcome.out, std::string(":") + MARKER_LIBRARY + "\n")) << outcome.out;
  EXPECT_LT(outcome.out.find("/libhakmem.so"), outcome.out.find(MARKER_LIBRARY));
}

TEST(Run, TakesAnotherLibrary) {
  for (const Outcome& outcome :
       {hakmem_run_shell("echo $LD_PRELOAD", {"--lib", MARKER_LIBRARY}),
        hakmem_run_shell("echo $LD_PRELOAD", {}, {{"LIBHAKMEM", MARKER_LIBRARY}})}) {
    EXPECT_EQ(outcome.out, std::string(MARKER_LIBRARY) + "\n");
    EXPECT_EQ(outcome.err, "marker loaded\n");
  }
}

TEST(Run, MakesTheLibrarysPathAbsolute) {
  const std::string relative =
      std::filesystem::relative(std::filesystem::canonical(MARKER_LIBRARY)).string();
  const Outcome outcome = hakmem_run_shell("cd / && ls -d /", {"--lib", relative});
  EXPECT_EQ(outcome.out, "/\n");
  EXPECT_EQ(outcome.err, "marker loaded\nmarker loaded\n");
}

TEST(Run, RefusesWhatTheLoaderWouldIgnore) {
  for (const char* file : {"/etc/passwd", "/no/such/library.so", "/"}) {
    const Outcome outcome = hakmem_run_shell("exit 0", {"--lib", file});
    EXPECT_EQ(outcome.code(), 2) << file;
    EXPECT_TRUE(contains(outcome.err, file)) << outcome.err;
  }
  const std::string spaced = ::testing::TempDir() + "a lib " + std::to_string(getpid()) + ".so";
  std::filesystem::copy_file(MARKER_LIBRARY, spaced);
  const Outcome outcome = hakmem_run_shell("exit 0", {"--lib", spaced});
  std::filesystem::remove(spaced);
  EXPECT_EQ(outcome.code(), 125);
  EXPECT_TRUE(contains(outcome.err, "space")) << outcome.err;
}

TEST(Run, SetsOptions) {
  const Outcome outcome = hakmem_run_shell(
      "echo $HAKMEM_PROFILE,$HAKMEM_STATS,$HAKMEM_NOTE",
      {"--lib", MARKER_LIBRARY, "--profile", "lean", "--stats", "--set", "HAKMEM_NOTE=a=b"});
  EXPECT_EQ(outcome.out, "lean,1,a=b\n");
}

TEST(Run, LeavesTheProgramsWordsAlone) {
  const Outcome outcome = hakmem({"run", "--", "printf", "<%s>", "--stats", "--", "[a,b]", "",
                                  "{x}", "--profile=fast", "run", "boxes", "-h"});
  EXPECT_EQ(outcome.out, "<--stats><--><[a,b]><><{x}><--profile=fast><run><boxes><-h>");
}

TEST(Run, NeedsNoDashesBeforeTheProgram) {
  const Outcome outcome = hakmem({"run", "printf", "<%s>", "--stats", "[a,b]", "--", "-h"});
  EXPECT_EQ(outcome.out, "<--stats><[a,b]><--><-h>");
}

TEST(Run, PrintsStatisticsOfEveryBand) {
  const std::string every_size = "my @kept = map { 'x' x $_ } 1 .. 1100; exit 3";
  const Outcome outcome = hakmem({"run", "--stats", "--", "perl", "-e", every_size});
  EXPECT_EQ(outcome.code(), 3);
  EXPECT_EQ(outcome.out, "");
  for (char band = '0'; band <= '7'; ++band) {
    EXPECT_TRUE(std::regex_search(outcome.err, std::regex(std::string("C") + band + " ")))
        << outcome.err;
  }
  EXPECT_EQ(hakmem({"run", "--", "perl", "-e", every_size}).err, "");
}

// The number behind these words.
std::size_t figure(const std::string& text, const std::string& words) {
  std::smatch found;
  const bool there = std::regex_search(text, found, std::regex(words + " (\\d+)"));
  EXPECT_TRUE(there) << words << " in " << text;
  return there ? std::stoull(found[1]) : 0;
}

TEST(Run, PrintsStatisticsThatAddUpToTheByte) {
  // Sizes of no round number, so that a part that is cut to KiB is noticed.
  const std::string odd_sizes = "my @kept = map { 'x' x ($_ * 37) } 1 .. 300";
  const std::string text = hakmem({"run", "--stats", "--", "perl", "-e", odd_sizes}).err;
  std::size_t parts = 0;
  for (const char* part : {"= live", "cached", "free", "slack", "dirty", "purged", "metadata"}) {
    parts += figure(text, part);
  }
  const std::size_t committed = figure(text, "= committed");
  EXPECT_EQ(committed, parts) << text;
  EXPECT_EQ(figure(text, "bytes: mapped"), committed + figure(text, "reserved")) << text;
  EXPECT_GT(figure(text, "= live"), 100000U);
}

// Coreutils close descriptor 2 before the library's turn comes.
TEST(Run, PrintsStatisticsOfProgramsThatCloseStderr) {
  const std::vector<Words> programs = {
      {"ls", "/"}, {"sort", "/dev/null"}, {"date"}, {"cat", "/dev/null"}};
  for (Words words : programs) {
    words.insert(words.begin(), {"run", "--stats", "--"});
    EXPECT_GT(figure(hakmem(words).err, "= live"), 1000U) << words[3];
    words.insert(words.begin() + 2, "--json");
    EXPECT_EQ(nlohmann::json::parse(hakmem(words).err, nullptr, false).count("live"), 1U)
        << words[4];
  }
}

// What is kept for the report is out of the way, stays in the program, and is not there unasked.
TEST(Run, KeepsOneHighDescriptorForStatistics) {
  const std::string list = "exec ls /proc/self/fd";
  const std::string asked = hakmem_run_shell(list, {"--stats"}).out;
  EXPECT_TRUE(std::regex_search(asked, std::regex("(^|\n)100\n"))) << asked;
  EXPECT_FALSE(std::regex_search(asked, std::regex("(^|\n)101\n"))) << asked;
  const std::string unasked = hakmem_run_shell(list).out;
  EXPECT_FALSE(std::regex_search(unasked, std::regex("(^|\n)100\n"))) << unasked;
}

TEST(Run, PrintsStatisticsWhereNoDescriptorCouldBeKept) {
  const std::string close_all = "POSIX::close($_) for 3 .. 300";
  const Words closing = {"run", "--stats", "--", "perl", "-MPOSIX", "-e", close_all};
  EXPECT_GT(figure(hakmem(closing).err, "= live"), 1000U);
  const Outcome limited = hakmem_run_shell("ulimit -n 50; exec perl -e 1", {"--stats"});
  EXPECT_GT(figure(limited.err, "= live"), 1000U);
}

// Descriptors that the program has made something else of are not written to.
TEST(Run, PrintsStatisticsIntoNoFileOfTheProgram) {
  const std::string file = ::testing::TempDir() + "hakmem-file-" + std::to_string(getpid());
  const std::string take_over =
      "my $f = POSIX::open($ARGV[0], O_CREAT | O_RDWR, 0600); POSIX::dup2($f, $_) for @TO";
  for (const char* descriptors : {"100", "2", "2, 100"}) {
    const std::string script = std::string("@TO = (") + descriptors + "); " + take_over;
    const Outcome outcome = hakmem({"run", "--stats", "--", "perl", "-MPOSIX", "-e", script, file});
    EXPECT_EQ(outcome.code(), 0);
    EXPECT_EQ(std::filesystem::file_size(file), 0U) << descriptors;
    EXPECT_EQ(contains(outcome.err, "= live"), !contains(descriptors, ",")) << descriptors;
  }
  std::filesystem::remove(file);
}

TEST(Run, PrintsStatisticsAsJson) {
  const Outcome outcome = hakmem({"run", "--stats", "--json", "--", "perl", "-e", "exit 3"});
  EXPECT_EQ(outcome.code(), 3);
  const auto stats = nlohmann::json::parse(outcome.err);
  std::size_t parts = 0;
  for (const char* part : {"live", "cached", "free", "slack", "dirty", "purged", "metadata"}) {
    parts += stats.at(part).get<std::size_t>();
  }
  EXPECT_EQ(stats.at("committed").get<std::size_t>(), parts);
  EXPECT_GT(stats.at("live").get<std::size_t>(), 100000U);
  std::size_t out = 0;
  for (const auto& k : stats.at("classes")) {
    EXPECT_EQ(k.at("out_bytes").get<std::size_t>() % k.at("size").get<std::size_t>(), 0U);
    out += k.at("out_bytes").get<std::size_t>();
  }
  EXPECT_GT(out, 100000U);
}

TEST(Usage, ErrorsAreOneLineWithAHintAndCodeTwo) {
  const std::vector<Words> senseless = {
      {},
      {"no-such-subcommand"},
      {"--no-such-option"},
      {"--no-such-option", "boxes"},
      {"boxes", "--no-such-option"},
      {"boxes", "word"},
      {"boxes", "--", "word"},
      {"run"},
      {"run", "--"},
      {"run", "--stats"},
      {"run", "--json", "--", "true"},
      {"run", "--no-such-option", "--", "true"},
      {"run", "--profile", "fast", "--", "true"},
      {"run", "--profile"},
      {"run", "--set", "HAKMEM_STATS", "--", "true"},
      {"run", "--set", "PATH=/", "--", "true"},
      {"run", "--lib", "/no/such/file", "--", "true"},
  };
  for (const Words& words : senseless) {
    std::string line;
    for (const std::string& word : words) line += word + ' ';
    const Outcome outcome = hakmem(words);
    EXPECT_EQ(outcome.code(), 2) << line;
    EXPECT_EQ(outcome.out, "") << line;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_EQ(outcome.err.rfind("hakmem", 0), 0U) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "--help'")) << outcome.err;
  }
}

TEST(Usage, NamesTheUnknownWord) {
  EXPECT_TRUE(contains(hakmem({"no-such-subcommand"}).err, "no-such-subcommand"));
  EXPECT_TRUE(contains(hakmem({"run", "--no-such-option", "true"}).err, "--no-such-option"));
}

TEST(Help, ShowsExamples) {
  for (const Words& words : {Words{"--help"}, Words{"run", "--help"}, Words{"boxes", "--help"}}) {
    const Outcome outcome = hakmem(words);
    EXPECT_EQ(outcome.code(), 0);
    EXPECT_TRUE(contains(outcome.out, "Examples:")) << outcome.out;
    EXPECT_EQ(outcome.err, "");
  }
}

TEST(Help, GivesTheVersion) {
  const Outcome outcome = hakmem({"--version"});
  EXPECT_EQ(outcome.code(), 0);
  EXPECT_EQ(outcome.out.rfind("hakmem 0.", 0), 0U) << outcome.out;
}

}  // namespace
