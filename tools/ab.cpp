// hakmem ab: is B better than A? The command line; the measuring is lab/'s.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "command.hpp"
#include "hakmem/config/options.hpp"
#include "lab/experiment.hpp"
#include "lab/ledger.hpp"
#include "lab/witness.hpp"

namespace hakmem::tools {
namespace {

constexpr const char* kAbFooter =
    R"(A and B:
  name=library.so            any malloc that can be preloaded
  null, glibc, mimalloc ...  the floor, libc's, an installed peer
  hakmem[:GATE=VALUE,...]    a build of ours; a hot gate makes a build of its own, in 48 layouts;
                             so do HAKMEM_FLAVOUR=lab and HAKMEM_FLAGS=-ONE-COMPILER-FLAG
  ANY:VARIABLE=VALUE,...     the same with settings in the environment

Examples:
  hakmem ab glibc hakmem
  hakmem ab hakmem hakmem:HAKMEM_TINY_C7_ULTRA_INLINE_OPT=0
  hakmem ab old=./old.so new=./new.so --workload larson --threads 4
  hakmem ab glibc mimalloc --metric rss -- python3 -c 'print(sum(range(10**6)))'

Verdicts, with threshold t: GO, B is better: the 95 % interval of the gain excludes 0, and the
estimate is t or more. NO-GO: mirrored. NEUTRAL: the interval lies within -t and +t. UNDECIDED else.
Exit code: 0 when it was measured, 2 for a wrong command line, 125 when a side failed. With
--exit-code: 0 GO, 10 NEUTRAL, 11 NO-GO, 12 UNDECIDED.)";

struct AbOptions {
  std::vector<std::string> sides = {"", ""};
  lab::Workload workload;
  std::string metric = "time";
  std::string threshold;
  std::string budget = "110s";
  std::string method = "lockstep";
  std::string witness;
  std::size_t layouts = 48;
  std::uint64_t seed = 0;
  std::string ledger;  // the name of the entry to write
  std::string ledger_folder;
  lab::LedgerEntry entry;  // what is said of it beforehand
  bool json = false;
  bool exit_code = false;
};

// "0.5%" or "0.5": in percent.
double read_percent(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const std::string unit = end;
  if (end == text.c_str() || (unit != "" && unit != "%") || !(value > 0 && value < 100))
    throw UsageError(fmt::format("--threshold {}: not a percentage such as 0.5%", text));
  return value / 100;
}

// "90", "90s", "2m"
double read_seconds(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const std::string unit = end;
  const double factor = unit == "m" ? 60 : 1;
  if (end == text.c_str() || (unit != "" && unit != "s" && unit != "m") ||
      !(value * factor >= 0.1 && value * factor <= 86'400)) {
    throw UsageError(fmt::format("--budget {}: not a time such as 90s or 2m", text));
  }
  return value * factor;
}

bool is_hot_gate(const std::string& variable) {
  for (const config::OptionInfo& info : config::kOptions) {
    if (variable == info.variable) return info.kind == config::Kind::hot;
  }
  if (variable == "HAKMEM_FLAVOUR" || variable == "HAKMEM_FLAGS") return true;  // of the build
  if (variable == "HAKMEM_PROFILE") return false;
  throw UsageError(fmt::format("there is no option {}, see 'hakmem boxes'", variable));
}

// One line that is written over, on a terminal only.
class ProgressLine {
 public:
  void show(const std::vector<lab::PairSample>& pairs, double left) {
    const auto now = std::chrono::steady_clock::now();
    if (isatty(STDERR_FILENO) == 0 || now - shown_ < std::chrono::milliseconds(500)) return;
    shown_ = now;
    std::string line = fmt::format("{} pairs", pairs.size());
    if (lab::unit_count(pairs) >= lab::kFewestUnits) {
      const lab::Interval interval = lab::interval_of(pairs, lab::kAlpha, 300);
      const double spent = 1 - left / budget_;
      line += fmt::format(", gain {} +- {:.2f} %, the budget buys +- {:.2f} %",
                          lab::percent(interval.estimate), 100 * interval.half_width(),
                          100 * lab::precision_to_expect(pairs, spent));
    }
    fmt::print(stderr, "\r\033[K{}, at most {:.0f} s left", line, left);
    drawn_ = true;
  }

  explicit ProgressLine(double budget) : budget_(budget) {}
  ~ProgressLine() {
    if (drawn_) fmt::print(stderr, "\r\033[K");
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

 private:
  double budget_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point shown_;
};

// The command line as it would be given in full, so that the measurement can be made again.
Words full_words(const AbOptions& options, const Words& program) {
  Words words = {"ab", options.sides[0], options.sides[1]};
  const auto add = [&words](const char* option, const auto& value) {
    words.emplace_back(option);
    words.push_back(fmt::format("{}", value));
  };
  if (program.empty()) {
    add("--workload", options.workload.name);
    if (options.workload.threaded()) {
      add("--threads", options.workload.threads);
    } else {
      add("--working-set", options.workload.working_set);
      add("--size-mask", options.workload.size_mask);
    }
  }
  add("--metric", options.metric);
  add("--method", options.method);
  add("--budget", options.budget);
  if (!options.threshold.empty()) add("--threshold", options.threshold);
  if (!options.witness.empty()) add("--witness", options.witness);
  add("--layouts", options.layouts);
  add("--seed", options.seed);
  if (program.empty()) return words;
  words.emplace_back("--");
  words.insert(words.end(), program.begin(), program.end());
  return words;
}

std::pair<double, double> count_instructions(const std::vector<lab::Side>& sides,
                                             const lab::Workload& workload, const Words& program) {
  if (!lab::can_count_instructions())
    throw UsageError("--witness instructions needs valgrind; install the package valgrind");
  const auto of = [&](const lab::Side& side) {
    return program.empty() ? lab::instructions_of_mixed(side.allocator, workload)
                           : lab::instructions_of(side.allocator, program);
  };
  return {of(sides[0]), of(sides[1])};
}

int exit_code_of(lab::Verdict verdict) {
  switch (verdict) {
    case lab::Verdict::kGo:
      return 0;
    case lab::Verdict::kNeutral:
      return 10;
    case lab::Verdict::kNoGo:
      return 11;
    case lab::Verdict::kUndecided:
      break;
  }
  return 12;
}

// Before anything is measured: what one expects must not depend on what one sees.
void check_ledger(AbOptions& options) {
  if (options.ledger.empty()) {
    if (!options.entry.hypothesis.empty() || !options.entry.expect.empty() ||
        !options.entry.risk.empty()) {
      throw UsageError("--hypothesis, --expect and --risk belong to --ledger NAME");
    }
    return;
  }
  if (options.entry.hypothesis.empty() || options.entry.expect.empty() ||
      options.entry.risk.empty()) {
    throw UsageError("--ledger asks for --hypothesis, --expect and --risk");
  }
  if (options.ledger_folder.empty()) options.ledger_folder = lab::ledger_folder();
  options.entry.name = options.ledger;
  lab::check_entry(options.entry);
}

void write_ledger(const AbOptions& options, const nlohmann::ordered_json& measured) {
  lab::LedgerEntry entry = options.entry;
  entry.date = measured.at("date").get<std::string>();
  entry.verdict = measured.at("verdict").get<std::string>();
  entry.experiment = measured;
  const auto path = lab::write_entry(options.ledger_folder, entry);
  fmt::print(stderr, "hakmem ab: wrote {}\n", path.string());
}

int compare(AbOptions options, const Words& program) {
  if (options.sides[1].empty())
    throw UsageError("two sides are compared: hakmem ab A B [OPTION...] [-- CMD...]");
  check_ledger(options);
  if (options.seed == 0) options.seed = std::random_device{}() % 1'000'000 + 1;
  lab::Workload& workload = options.workload;
  if (workload.name != "mixed" && workload.threads == 0) workload.threads = 2;
  lab::check_workload(workload);

  lab::Experiment experiment;
  experiment.metric = lab::parse_metric(options.metric);
  experiment.threshold = options.threshold.empty() ? (workload.threaded() ? 0.02 : 0.005)
                                                   : read_percent(options.threshold);
  experiment.budget_seconds = read_seconds(options.budget);
  experiment.naive = options.method == "naive";
  experiment.seed = options.seed;
  experiment.words = full_words(options, program);
  experiment.workload =
      program.empty() ? lab::describe(workload) : fmt::format("{}", fmt::join(program, " "));
  if (!options.witness.empty() && program.empty() && workload.threaded())
    throw UsageError("--witness instructions counts Mixed in one thread, or a command");
  if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\r\033[Kpreparing the builds ...\r");
  experiment.sides = lab::parse_sides(options.sides, options.layouts, options.seed, is_hot_gate);
  if (!options.witness.empty())
    experiment.instructions = count_instructions(experiment.sides, workload, program);

  const std::unique_ptr<lab::PairSource> source =
      program.empty()
          ? lab::lockstep_pairs(experiment.sides, experiment.metric, workload, options.seed)
          : lab::command_pairs(experiment.sides, experiment.metric, program, options.seed);
  {
    ProgressLine line(experiment.budget_seconds);
    const auto progress = [&](const auto& pairs, double left) { line.show(pairs, left); };
    experiment.outcome = (experiment.naive ? lab::compare_naively : lab::compare)(
        *source, experiment.threshold, experiment.budget_seconds, progress);
  }
  experiment.method = experiment.naive ? "naive: ten runs of A, then ten of B" : source->method();

  const nlohmann::ordered_json json = lab::to_json(experiment);
  fmt::print("{}\n", options.json ? json.dump() : lab::to_text(json));
  if (!options.ledger.empty()) write_ledger(options, json);
  return options.exit_code ? exit_code_of(experiment.outcome.verdict) : 0;
}

Action describe_ab(CLI::App& app) {
  auto options = std::make_shared<AbOptions>();
  lab::Workload& workload = options->workload;
  app.add_option("A", options->sides[0], "What is there now")->type_name("");
  app.add_option("B", options->sides[1], "What may be better")->type_name("");
  app.add_option("--workload", workload.name,
                 "mixed (default), or with threads one of larson, pairs, 1to3, 3to1, buffers, "
                 "migrating, short-lived, cache-scratch, cache-thrash, mixed, web-server")
      ->type_name("NAME");
  app.add_option("--working-set", workload.working_set, "Slots of mixed")->capture_default_str();
  app.add_option("--size-mask", workload.size_mask, "Sizes of mixed are 16 + (r & mask)")
      ->capture_default_str();
  app.add_option("--threads", workload.threads, "Threads (default: 2; mixed: one, on one CPU)");
  app.add_option("--metric", options->metric, "time, cpu, rss or faults")->capture_default_str();
  app.add_option("--threshold", options->threshold,
                 "What is worth a verdict (default: 0.5%, with threads 2%)");
  app.add_option("--budget", options->budget, "Time to measure at most")->capture_default_str();
  app.add_option("--method", options->method,
                 "lockstep, or naive: ten runs of A, then ten of B, to see how that goes wrong")
      ->check(CLI::IsMember({"lockstep", "naive"}));
  app.add_option("--witness", options->witness, "instructions: count them too, with valgrind")
      ->check(CLI::IsMember({"instructions"}));
  app.add_option("--layouts", options->layouts, "Relinks of each side that is a build of ours")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--seed", options->seed, "For the random placement (default: a new one)")
      ->check(CLI::Range(1, 1'000'000'000));
  app.add_option("--ledger", options->ledger, "Write an entry of this name to the ledger")
      ->type_name("NAME");
  app.add_option("--hypothesis", options->entry.hypothesis, "What should be better, and why");
  app.add_option("--expect", options->entry.expect, "The gain hoped for");
  app.add_option("--risk", options->entry.risk, "What may be lost");
  app.add_option("--decision", options->entry.decision, "open, adopted, research or reverted")
      ->check(CLI::IsMember(lab::decisions()))
      ->type_name("WORD");
  app.add_option("--ledger-dir", options->ledger_folder, "The ledger (default: docs/experiments)")
      ->type_name("DIR");
  app.add_flag("--json", options->json, "Print a JSON document");
  app.add_flag("--exit-code", options->exit_code, "Tell the verdict by the exit code");
  app.allow_extras();  // a command, behind "--"
  app.footer(kAbFooter);
  return [options](const Words& program) { return compare(*options, program); };
}

const Registration ab_command{"ab", "Compare two allocators, or two builds: is B better than A?",
                              describe_ab};

}  // namespace
}  // namespace hakmem::tools
