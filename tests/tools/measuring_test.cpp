// hakmem bench, score, profile and asm as a shell sees them, with budgets so small that the figures
// mean nothing: what is printed has its shape, and wrong words are refused with a hint.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "process.hpp"

namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

Outcome hakmem(Words words) {
  words.insert(words.begin(), HAKMEM_COMMAND);
  return run_program(words);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string temporary(const std::string& name) {
  return ::testing::TempDir() + "hakmem-" + std::to_string(getpid()) + "-" + name;
}

std::string text_of(const std::string& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// The end tags match the begin tags, and nothing is left open: the page is XML, too.
void expect_well_formed(const std::string& page) {
  const std::string file = temporary("page.html");
  std::ofstream(file) << page;
  const Outcome outcome =
      run_program({"python3", "-c",
                   "import sys, xml.etree.ElementTree as tree; tree.parse(sys.argv[1])", file});
  EXPECT_EQ(outcome.code(), 0) << outcome.err;
  std::filesystem::remove(file);
}

struct WrongWords {
  Words words;
  const char* hint;
};

TEST(Measuring, WrongWordsAreRefusedWithAHint) {
  const WrongWords wrong[] = {
      {{"bench", "--workload", "mixt"}, "mixed-64k"},
      {{"bench", "nonsense"}, "name=library.so"},
      {{"bench", "x=/no/such.so"}, "/no/such.so"},
      {{"bench", "--threads", "0"}, "--threads"},
      {{"bench", "--budget", "0"}, "--budget"},
      {{"bench", "--html", "/no/such/folder/page.html"}, "cannot be written"},
      {{"bench", "--", "ls"}, "unknown argument"},
      {{"score", "--profile", "fast"}, "--profile"},
      {{"score", "--ops", "many"}, "--ops"},
      {{"score", "m=/etc/passwd", "m=/etc/passwd"}, "two allocators"},
      {{"profile", "--workload", "nothing"}, "mixed"},
      {{"profile", "--method", "magic"}, "--method"},
      {{"profile", "--against", "/etc/passwd"}, "no profile"},
      {{"profile", "--lib", "nonsense", "--", "ls"}, "name=library.so"},
      {{"profile", "--", "no-such-program-anywhere"}, "command not found"},
      {{"profile", "--simulate", "--no-simulation"}, "--simulate"},
      {{"asm"}, "FUNCTION"},
      {{"asm", "malloc", "--load-latency", "5"}, "--load-latency"},
      {{"asm", "malloc", "--lib", "/etc/passwd"}, "/etc/passwd"},
      {{"asm", "mallo", "--lib", HAKMEM_LIBRARY}, "similar: "},
  };
  for (const WrongWords& one : wrong) {
    const Outcome outcome = hakmem(one.words);
    std::string line;
    for (const std::string& word : one.words) line += word + " ";
    EXPECT_EQ(outcome.code(), 2) << line << outcome.err;
    EXPECT_EQ(outcome.out, "") << line;
    EXPECT_TRUE(contains(outcome.err, one.hint)) << line << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "--help")) << line << outcome.err;
  }
}

TEST(Measuring, HelpHasExamples) {
  for (const std::string command : {"bench", "score", "profile", "asm"}) {
    const Outcome outcome = hakmem({command, "--help"});
    EXPECT_EQ(outcome.code(), 0);
    EXPECT_TRUE(contains(outcome.out, "Examples:\n  hakmem " + command)) << outcome.out;
  }
}

TEST(Completion, KnowsSubcommandsOptionsAndNames) {
  const auto complete = [](const Words& words) {
    std::string line = "source " COMPLETION_FILE "; COMP_WORDS=('" HAKMEM_COMMAND "'";
    for (const std::string& word : words) line += " '" + word + "'";
    line += "); COMP_CWORD=" + std::to_string(words.size()) +
            "; _hakmem; printf '%s ' \"${COMPREPLY[@]}\"";
    return run_program({"bash", "-c", line}).out;
  };
  EXPECT_EQ(complete({"sc"}), "score ");
  EXPECT_TRUE(contains(complete({""}), "bench "));
  EXPECT_EQ(complete({"bench", "--ht"}), "--html ");
  EXPECT_EQ(complete({"profile", "--workload", "lar"}), "larson ");
  EXPECT_EQ(complete({"score", "--profile", "le"}), "lean ");
  EXPECT_EQ(complete({"bench", "mimal"}), "mimalloc ");
  EXPECT_TRUE(contains(complete({"profile", "--", "pytho"}), "python3 "));
}

TEST(Bench, ComparesAnyNumberOfAllocators) {
  const std::string page = temporary("bench.html");
  const Outcome outcome =
      hakmem({"bench", "--budget", "1", "--workload", "mixed,pairs", "--html", page, "--json",
              "hakmem", "glibc", std::string("again=") + HAKMEM_LIBRARY});
  ASSERT_EQ(outcome.code(), 0) << outcome.err;
  const Json document = Json::parse(outcome.out);
  ASSERT_EQ(document["tables"].size(), 2U);
  for (const Json& table : document["tables"]) {
    // The null allocator has no room for the tags of threaded workloads.
    const bool threaded = table["threads"] != 0;
    EXPECT_EQ(table["allocators"].size(), threaded ? 3U : 4U);
    EXPECT_EQ(table["reference"], "hakmem");
    EXPECT_TRUE(table["failed"].empty()) << table;
    for (const Json& row : table["allocators"]) {
      const Json& time = row["time"];
      EXPECT_GT(time["low"].get<double>(), 0) << row;
      EXPECT_LE(time["low"], time["median"]) << row;
      EXPECT_LE(time["median"], time["high"]) << row;
      EXPECT_GT(row["peak_mb"].get<double>(), 0.5) << row;
      EXPECT_GT(row["page_faults"].get<double>(), 10) << row;
      EXPECT_EQ(row["share_of_floor"].is_null(), threaded) << row;
      EXPECT_EQ(row["malloc_ns"].is_null(), !threaded) << row;
      if (threaded) {
        EXPECT_LE(row["malloc_ns"]["p50"], row["malloc_ns"]["p99.9"]) << row;
      }
      if (row["name"] == "hakmem") {
        EXPECT_EQ(row["time"]["median"], 1) << row;
        EXPECT_NE(row["version"], "") << row;
      }
    }
  }
  const std::string html = text_of(page);
  std::filesystem::remove(page);
  expect_well_formed(html);
  EXPECT_TRUE(contains(html, "<svg")) << html;
  EXPECT_FALSE(contains(html, "<script")) << html;
  EXPECT_FALSE(contains(html, "src=")) << html;
}

TEST(Bench, AnAllocatorThatFailsIsNamed) {
  const Outcome outcome =
      hakmem({"bench", "--budget", "1", "--workload", "mixed",
              std::string("broken=") + BROKEN_LIBRARY + ":BROKEN_MALLOC=crash", "hakmem"});
  EXPECT_EQ(outcome.code(), 1) << outcome.out;
  EXPECT_TRUE(contains(outcome.out, "broken FAILED: ")) << outcome.out;
  EXPECT_TRUE(contains(outcome.out, "\nhakmem  ")) << outcome.out;
  EXPECT_TRUE(contains(outcome.out, "of floor")) << outcome.out;
}

TEST(Score, PrintsMetricTargetMeasuredStatus) {
  const Outcome outcome =
      hakmem({"score", "--ops", "200000", "--seconds", "0.2", "--no-instructions", "--profile",
              "lean", "--json", std::string("mimalloc-as-it-were=") + HAKMEM_LIBRARY});
  // Against itself and with so little time, a target may well be missed.
  ASSERT_TRUE(outcome.code() == 0 || outcome.code() == 1) << outcome.err;
  const Json document = Json::parse(outcome.out);
  EXPECT_EQ(document["profile"], "lean");
  bool missed = false;
  Words names;
  for (const Json& metric : document["metrics"]) {
    const std::string name = metric["metric"];
    names.push_back(name);
    missed = missed || metric["status"] == "MISSED";
    if (name == "memory system calls, timed part") {
      EXPECT_EQ(metric["status"], "not measured") << metric;
      // How many there are in so short a time is chance where memory is given back at once.
      EXPECT_LT(metric["measured"]["lean"]["value"], 1000) << metric;
      EXPECT_TRUE(contains(metric["measured"]["lean"]["text"], " by the library")) << metric;
    }
    if (name == "instructions of an operation") continue;
    for (const char* profile : {"speed", "balanced", "lean"}) {
      EXPECT_TRUE(metric["measured"].contains(profile)) << metric;
    }
  }
  EXPECT_EQ(outcome.code(), missed ? 1 : 0);
  EXPECT_EQ(names.size(), 10U) << outcome.out;
}

TEST(Score, TheTableHasTheProfileThatIsJudgedFirst) {
  const Outcome outcome = hakmem({"score", "--ops", "10000", "--seconds", "0.1", "--profile",
                                  "speed", "--no-instructions", "glibc"});
  EXPECT_TRUE(contains(outcome.out, "no mimalloc")) << outcome.out << outcome.err;
  const std::string head = outcome.out.substr(outcome.out.find("metric"), 400);
  EXPECT_LT(head.find("speed"), head.find("balanced")) << head;
  EXPECT_LT(head.find("status"), head.find("speed")) << head;
}

// The release library stands for itself: making the outlined one takes a build.
const std::string kSubject = std::string("subject=") + HAKMEM_LIBRARY;

void check_profile(const Json& profile) {
  EXPECT_EQ(profile["kind"], "hakmem profile");
  const std::uint64_t samples = profile["samples"];
  EXPECT_GT(samples, 10U);
  std::uint64_t sum = 0;
  bool has_malloc = false;
  for (const Json& function : profile["functions"]) {
    const Json& self = function["self"];
    sum += self["samples"].get<std::uint64_t>();
    EXPECT_LE(self["low"], self["share"]) << function;
    EXPECT_LE(self["share"], self["high"]) << function;
    if (!function["stack"].is_null()) {
      EXPECT_GE(function["stack"]["samples"], self["samples"]) << function;
    }
    if (function["function"] == "malloc") {
      has_malloc = true;
      EXPECT_EQ(function["of_allocator"], true);
    }
  }
  EXPECT_EQ(sum, samples);
  EXPECT_TRUE(has_malloc) << profile.dump(1);
  EXPECT_GT(profile["in_allocator"]["samples"], 0);
}

TEST(Profile, OwnTimerSamplesAndNamesFunctions) {
  const std::string file = temporary("profile.json");
  const std::string plan = temporary("plan.md");
  const Words command = {"profile", "--lib",  kSubject,          "--method", "timer", "--seconds",
                         "1",       "--json", "--no-simulation", "--plan",   plan};
  const Outcome outcome = hakmem(command);
  ASSERT_EQ(outcome.code(), 0) << outcome.err;
  const Json profile = Json::parse(outcome.out);
  check_profile(profile);
  EXPECT_EQ(profile["method"], "timer");

  std::ofstream(file) << outcome.out;
  const Outcome later = hakmem({"profile", "--lib", kSubject, "--method", "timer", "--seconds",
                                "0.3", "--no-simulation", "--against", file});
  EXPECT_EQ(later.code(), 0) << later.err;
  EXPECT_TRUE(contains(later.out, "change, points")) << later.out;
  EXPECT_TRUE(contains(later.out, "the allocator in all: ")) << later.out;

  const std::string text = text_of(plan);
  for (const char* part : {"# Next targets", "## 1. `", "most that can be won", "## Order",
                           "## When to stop", "## Box rules", "expected gain", "| risk |"}) {
    EXPECT_TRUE(contains(text, part)) << part << '\n' << text;
  }

  // Its samples stand beside the instructions.
  const Outcome listing = hakmem({"asm", "malloc", "--profile", file, "--json"});
  ASSERT_EQ(listing.code(), 0) << listing.err;
  std::uint64_t sampled = 0;
  const Json instructions = Json::parse(listing.out)["instructions"];
  for (const Json& instruction : instructions) sampled += instruction["samples"].get<int>();
  EXPECT_GT(sampled, 0U) << listing.out;
  std::filesystem::remove(file);
  std::filesystem::remove(plan);
}

TEST(Profile, SamplesAnyProgram) {
  const Outcome outcome = hakmem({"profile", "--lib", kSubject, "--method", "timer", "--json", "--",
                                  "python3", "-c", "for i in range(60000): [str(i)] * 40"});
  ASSERT_EQ(outcome.code(), 0) << outcome.err;
  const Json profile = Json::parse(outcome.out);
  EXPECT_GT(profile["samples"], 0);
  EXPECT_TRUE(contains(profile["command"], "python3 -c")) << profile["command"];
}

TEST(Asm, ShowsTheDependencyChain) {
  const auto length_at = [](const char* latency) {
    const Outcome outcome =
        hakmem({"asm", "malloc", "--lib", HAKMEM_LIBRARY, "--json", "--load-latency", latency});
    EXPECT_EQ(outcome.code(), 0) << outcome.err;
    const Json document = Json::parse(outcome.out);
    EXPECT_GT(document["instructions"].size(), 10U);
#if defined(__x86_64__)
    EXPECT_TRUE(document.contains("chain")) << document.dump(1);
    EXPECT_FALSE(document["chain"]["load_use"].empty());
    return document["chain"]["length"].get<double>();
#else
    EXPECT_TRUE(document.contains("no_chain")) << document.dump(1);
    return std::string(latency) == "4" ? 1.0 : 2.0;
#endif
  };
  EXPECT_LT(length_at("4"), length_at("40"));
}

TEST(Asm, MarksStoresThatNobodyWaitsFor) {
#if defined(__x86_64__)
  const Outcome outcome = hakmem({"asm", "free", "--lib", HAKMEM_LIBRARY});
  ASSERT_EQ(outcome.code(), 0) << outcome.err;
  for (const char* part : {"address", "source", "longest dependency chain", "movable store",
                           "load to first use", "units used"}) {
    EXPECT_TRUE(contains(outcome.out, part)) << part << '\n' << outcome.out;
  }
#endif
}

}  // namespace
