// hakmem score: what this allocator is held to, and where it stands.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench_runs.hpp"
#include "command.hpp"
#include "lab/companion.hpp"
#include "lab/lockstep.hpp"
#include "lab/witness.hpp"
#include "workloads.hpp"

namespace hakmem::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kScoreExamples = R"(Examples:
  hakmem score                           the balanced profile, against the installed mimalloc
  hakmem score --profile speed --ops 200000000
  hakmem score mimalloc=./libmimalloc.so.3 jemalloc --json

The workload is Mixed with a working set of 400. Named allocators are compared with; the one whose
name begins with "mimalloc" is the one for throughput. Without any, the installed ones are taken. A
share counts as missed when its whole 95 % interval is on the wrong side. Memory system calls are
counted by the library, as the difference between a run of all operations and one of the untimed
part, and by a tracer where that is allowed.
Exit code: 0 all targets hold, 1 one is missed, 2 wrong command line.)";

constexpr std::uint64_t kLeastOperations = 50'000'000;
constexpr const char* kProfiles[] = {"speed", "balanced", "lean"};

struct ScoreOptions {
  std::vector<std::string> peers;
  std::string profile = "balanced";
  std::uint64_t operations = 60'000'000;
  double seconds = 25;  // of lockstep
  bool no_instructions = false;
  bool json = false;
};

enum class Status { ok, missed, information, not_measured };

struct Metric {
  std::string name;
  std::string target;
  std::vector<std::string> measured;  // by profile: the one named, then the other two
  std::vector<std::optional<double>> values;
  Status status = Status::information;
  std::string note;
};

const char* text_of(Status status) {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::missed:
      return "MISSED";
    case Status::information:
      return "info";
    case Status::not_measured:
      return "not measured";
  }
  return "";
}

// What one run of the benchmark program printed.
struct Run {
  double throughput = 0;
  double peak_mb = 0;
  std::optional<long> traced;   // memory system calls of the timed part
  std::optional<long> counted;  // of the whole process, by the library
};

double number_after(const std::string& text, const std::string& mark) {
  const std::size_t at = text.find(mark);
  return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + mark.size(), nullptr);
}

Run run_benchmark(const lab::Allocator& allocator, std::uint64_t operations, bool traced) {
  lab::Launch launch;
  launch.preload = allocator.library;
  launch.environment = allocator.environment;
  launch.environment.emplace_back("HAKMEM_STATS", "1");
  launch.command = command_of(lab::Workload{}, operations);
  if (traced) std::erase(launch.command, "--no-syscall-count");
  lab::Process process(launch);
  process.close_input();
  const std::string text = process.read_all(3600);
  if (const int status = process.wait().status; status != 0) {
    throw lab::ProcessFailure(allocator.name + " " + lab::describe_status(status));
  }
  Run run;
  run.throughput = number_after(text, "throughput: ");
  run.peak_mb = number_after(text, "peak RSS: ");
  if (text.find("in the timed part)") != std::string::npos) {
    run.traced = static_cast<long>(number_after(text, "per operation ("));
  }
  const double calls = number_after(process.errors(), "memory system calls ");
  if (calls >= 0) run.counted = static_cast<long>(calls);
  return run;
}

struct Contest {
  std::vector<lab::Allocator> ours;  // the profile named, then the others
  std::vector<lab::Allocator> peers;
  std::optional<lab::Allocator> mimalloc;
};

Contest choose(const ScoreOptions& options) {
  Contest contest;
  std::vector<std::string> profiles = {options.profile};
  for (const char* profile : kProfiles) {
    if (profile != options.profile) profiles.emplace_back(profile);
  }
  const lab::Allocator own = lab::parse_allocator("hakmem");
  for (const std::string& profile : profiles) {
    contest.ours.push_back({profile, own.library, {{"HAKMEM_PROFILE", profile}}});
  }
  contest.peers =
      options.peers.empty() ? lab::installed_peers() : lab::parse_allocators(options.peers);
  for (const lab::Allocator& peer : contest.peers) {
    if (!contest.mimalloc && peer.name.rfind("mimalloc", 0) == 0) contest.mimalloc = peer;
  }
  return contest;
}

std::string share_text(const lab::Estimate& share) {
  return fmt::format("{:.1f} % ({:.1f} to {:.1f})", 100 * share.median, 100 * share.low,
                     100 * share.high);
}

double variation_of(const std::vector<double>& values) {
  double mean = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(std::max<std::size_t>(1, values.size() - 1))) /
         mean;
}

// Throughput and its variation: null, mimalloc and our profiles take turns.
class Lockstep {
 public:
  Lockstep(const Contest& contest, double seconds) : contest_(contest) {
    allocators_ = contest.ours;
    allocators_.push_back(lab::parse_allocator("null"));
    if (contest.mimalloc) allocators_.push_back(*contest.mimalloc);
    lab::SetPlan plan;
    plan.cpu = lab::pin_controller(-1);
    plan.pace = lab::calibrate(plan.workload, allocators_[0], 1, plan.cpu);
    constexpr std::size_t kSets = 10;
    const double rounds = seconds * 1000 / (1.4 * kSets * static_cast<double>(allocators_.size()));
    plan.rounds = std::max<std::size_t>(4, static_cast<std::size_t>(rounds));
    for (std::size_t set = 0; set < kSets; ++set) {
      if (isatty(STDERR_FILENO) != 0) {
        fmt::print(stderr, "\r\033[Klockstep: set {} of {}", set + 1, kSets);
      }
      sets_.push_back(lab::run_set(plan, allocators_, set + 1).turns);
    }
    if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\r\033[K");
  }

  // The reference's time by this one's: its throughput in shares of the reference's.
  [[nodiscard]] lab::Estimate share(std::size_t who, std::size_t reference) const {
    return lab::estimate(ratios(who, reference));
  }

  // Between sets of fresh processes: of the ratio to the null allocator, and of the time as it is.
  [[nodiscard]] double variation(std::size_t who, bool raw) const {
    std::vector<double> medians;
    for (const auto& turns : sets_) {
      std::vector<double> values;
      for (std::size_t round = 0; round < turns[who].size(); ++round) {
        values.push_back(turns[who][round].cpu() / (raw ? 1 : turns[null()][round].cpu()));
      }
      medians.push_back(lab::median(values));
    }
    return variation_of(medians);
  }

  [[nodiscard]] std::size_t null() const { return contest_.ours.size(); }
  [[nodiscard]] std::size_t mimalloc() const { return null() + 1; }

 private:
  [[nodiscard]] std::vector<std::vector<double>> ratios(std::size_t who,
                                                        std::size_t reference) const {
    std::vector<std::vector<double>> groups;
    for (const auto& turns : sets_) {
      std::vector<double>& group = groups.emplace_back();
      for (std::size_t round = 0; round < turns[who].size(); ++round) {
        group.push_back(turns[reference][round].cpu() / turns[who][round].cpu());
      }
    }
    return groups;
  }

  const Contest& contest_;
  std::vector<lab::Allocator> allocators_;
  std::vector<std::vector<std::vector<lab::Turn>>> sets_;  // [set][allocator][round]
};

void add_throughput(const Contest& contest, const Lockstep& lockstep,
                    std::vector<Metric>& metrics) {
  Metric shares{"throughput, Mixed 400", "100 % of mimalloc's", {}, {}, Status::not_measured, ""};
  if (contest.mimalloc) {
    const std::string version = shown_version(*contest.mimalloc);
    for (std::size_t i = 0; i < contest.ours.size(); ++i) {
      const lab::Estimate share = lockstep.share(i, lockstep.mimalloc());
      shares.measured.push_back(share_text(share));
      shares.values.emplace_back(share.median);
      if (i > 0) continue;
      shares.status = share.high < 1 ? Status::missed : Status::ok;
      std::string reached = "none";
      for (const int milestone : {50, 60, 75, 90, 100, 105}) {
        if (100 * share.median >= milestone) reached = fmt::format("{} %", milestone);
      }
      shares.note = fmt::format(
          "mimalloc {} ({}); milestones 50, 60, 75, 90, 100, 105 %: {} reached; the null allocator "
          "itself stands at {}",
          version.empty() ? "of unknown version" : version, contest.mimalloc->name, reached,
          share_text(lockstep.share(lockstep.null(), lockstep.mimalloc())));
    }
  } else {
    shares.note = "no mimalloc: name one, or install libmimalloc2.0";
  }
  metrics.push_back(std::move(shares));

  Metric floor{
      "share of the floor", "-", {}, {}, Status::information, "the null allocator's time by ours"};
  Metric variation{"run-to-run variation", "< 2.5 %", {}, {}, Status::ok, ""};
  Metric raw{
      "... of raw times", "-", {}, {}, Status::information, "the machine's own drift; not judged"};
  for (std::size_t i = 0; i < contest.ours.size(); ++i) {
    const lab::Estimate share = lockstep.share(i, lockstep.null());
    floor.measured.push_back(share_text(share));
    floor.values.emplace_back(share.median);
    const double own = lockstep.variation(i, false);
    variation.measured.push_back(fmt::format("{:.2f} %", 100 * own));
    variation.values.emplace_back(own);
    if (i == 0 && own >= 0.025) variation.status = Status::missed;
    const double drift = lockstep.variation(i, true);
    raw.measured.push_back(fmt::format("{:.2f} %", 100 * drift));
    raw.values.emplace_back(drift);
  }
  variation.note = "standard deviation over 10 sets of processes, lockstep, relative to null";
  for (Metric* metric : {&floor, &variation, &raw}) metrics.push_back(std::move(*metric));
}

// The same sequence to where the timed part begins: a run of N operations has N / 10 before it, and
// this many lead to the same place.
std::uint64_t untimed_part(std::uint64_t operations) {
  return std::max<std::uint64_t>(1, operations / 11);
}

void add_memory(const Contest& contest, std::uint64_t operations, std::vector<Metric>& metrics) {
  Metric peak{"peak RSS", "< 35 MB, below every peer", {}, {}, Status::ok, ""};
  Metric calls{"memory system calls, timed part", "< 1e-7 per operation", {}, {}, Status::ok, ""};
  Metric speed{"throughput of one run",       "-", {}, {}, Status::information,
               "as the machine happens to be"};
  double lowest_peer = 1e300;
  std::string peers;
  constexpr std::uint64_t kShort = 2'000'000;
  std::vector<lab::Allocator> others = contest.peers;
  const lab::Allocator glibc = lab::parse_allocator("glibc");
  for (const lab::Allocator& peer : others) {
    const double own = run_benchmark(peer, kShort, false).peak_mb;
    lowest_peer = std::min(lowest_peer, own);
    peers += fmt::format("{} {:.2f}, ", peer.name, own);
  }
  peak.note = fmt::format("peers: {}glibc, which is no peer here, {:.2f} MB", peers,
                          run_benchmark(glibc, kShort, false).peak_mb);
  for (std::size_t i = 0; i < contest.ours.size(); ++i) {
    const Run run = run_benchmark(contest.ours[i], operations, true);
    const Run lead = run_benchmark(contest.ours[i], untimed_part(operations), false);
    speed.measured.push_back(fmt::format("{:.1f} million/s", run.throughput / 1e6));
    speed.values.emplace_back(run.throughput);
    peak.measured.push_back(fmt::format("{:.2f} MB", run.peak_mb));
    peak.values.emplace_back(run.peak_mb);
    if (i == 0 && !(run.peak_mb < 35 && run.peak_mb < lowest_peer)) peak.status = Status::missed;

    long most = 0;
    std::string text = "not counted";
    if (run.counted && lead.counted) {
      most = *run.counted - *lead.counted;
      text = fmt::format("{} by the library", most);
    }
    if (run.traced) {
      most = std::max(most, *run.traced);
      text += fmt::format(", {} traced", *run.traced);
    } else {
      text += ", tracing not allowed";
    }
    calls.measured.push_back(text);
    calls.values.emplace_back(static_cast<double>(most));
    if (i > 0) continue;
    const bool counted = (run.counted && lead.counted) || run.traced;
    const bool agree =
        !run.traced || !run.counted || !lead.counted || *run.traced == *run.counted - *lead.counted;
    const double rate = static_cast<double>(most) / static_cast<double>(operations);
    calls.note = fmt::format("{} operations: {:.1e} each{}", operations, rate,
                             agree ? "" : "; THE TWO COUNTS DIFFER");
    if (!counted || operations < kLeastOperations) {
      calls.status = Status::not_measured;
      calls.note += fmt::format("; judged from {} operations on", kLeastOperations);
    } else if (!(rate < 1e-7)) {
      calls.status = Status::missed;
    }
  }
  for (Metric* metric : {&speed, &peak, &calls}) metrics.push_back(std::move(*metric));
}

void add_instructions(const Contest& contest, bool wanted, std::vector<Metric>& metrics) {
  // Half of the operations are malloc (at most 18), half are free (at most 22).
  constexpr double kMost = 20;
  Metric metric{
      "instructions of an operation", "<= 20 above null's", {}, {}, Status::not_measured, ""};
  if (!wanted || !lab::can_count_instructions()) {
    metric.note = wanted ? "valgrind is missing (package valgrind)" : "--no-instructions";
    metrics.push_back(std::move(metric));
    return;
  }
  const lab::Workload mixed;
  const double floor = lab::instructions_of_mixed(lab::parse_allocator("null"), mixed);
  metric.note = fmt::format("callgrind; null {:.2f}", floor);
  // Profiles set the slow door alone: the first one is the judged one, and the others are the same
  // code.
  const double own = lab::instructions_of_mixed(contest.ours[0], mixed) - floor;
  metric.measured.push_back(fmt::format("{:.2f} above null", own));
  metric.values.emplace_back(own);
  metric.status = own <= kMost ? Status::ok : Status::missed;
  if (contest.mimalloc) {
    const double peer = lab::instructions_of_mixed(*contest.mimalloc, mixed) - floor;
    metric.note += fmt::format(", {} {:.2f} above it", contest.mimalloc->name, peer);
  }
  metrics.push_back(std::move(metric));
}

// CPU microseconds and memory system calls of a program that does nothing.
void add_start_up(const Contest& contest, std::vector<Metric>& metrics) {
  constexpr int kRuns = 60;
  Metric time{"start-up, /bin/true", "-", {}, {}, Status::information, ""};
  Metric calls{"memory system calls of a start", "< 12", {}, {}, Status::ok,
               "by the library, beside glibc's"};
  std::vector<lab::Allocator> subjects = contest.ours;
  subjects.push_back(lab::parse_allocator("glibc"));
  if (contest.mimalloc) subjects.push_back(*contest.mimalloc);
  std::vector<std::vector<double>> microseconds(subjects.size());
  std::vector<std::optional<double>> counts(contest.ours.size());
  for (int run = 0; run < kRuns; ++run) {
    for (std::size_t i = 0; i < subjects.size(); ++i) {
      lab::Launch launch;
      launch.command = {"/bin/true"};
      launch.preload = subjects[i].library;
      launch.environment = subjects[i].environment;
      const bool counted = run == 0 && i < contest.ours.size();
      if (counted) launch.environment.emplace_back("HAKMEM_STATS", "1");
      lab::Process process(launch);
      process.close_input();
      const lab::Usage usage = process.wait();
      const double found = counted ? number_after(process.errors(), "memory system calls ") : -1;
      if (found >= 0) counts[i] = found;
      if (!counted) {
        microseconds[i].push_back(
            static_cast<double>(usage.user_microseconds + usage.system_microseconds));
      }
    }
  }
  const double glibc = lab::median(microseconds[contest.ours.size()]);
  time.note = fmt::format("CPU time beside glibc's {:.0f} us", glibc);
  if (contest.mimalloc) {
    time.note += fmt::format("; {} {:+.0f} us", contest.mimalloc->name,
                             lab::median(microseconds.back()) - glibc);
  }
  for (std::size_t i = 0; i < contest.ours.size(); ++i) {
    const double beside = lab::median(microseconds[i]) - glibc;
    time.measured.push_back(fmt::format("{:+.0f} us", beside));
    time.values.emplace_back(beside);
    calls.measured.push_back(counts[i] ? fmt::format("{:.0f}", *counts[i]) : "not counted");
    calls.values.push_back(counts[i]);
  }
  if (!counts[0]) {
    calls.status = Status::not_measured;
  } else if (*counts[0] >= 12) {
    calls.status = Status::missed;
  }
  metrics.push_back(std::move(time));
  metrics.push_back(std::move(calls));
}

void print_text(const Contest& contest, const std::vector<Metric>& metrics) {
  std::vector<std::string> head = {"metric", "target", "status"};
  for (const lab::Allocator& own : contest.ours) head.push_back(own.name);
  std::vector<std::vector<std::string>> lines = {head};
  for (const Metric& metric : metrics) {
    std::vector<std::string> line = {metric.name, metric.target, text_of(metric.status)};
    line.insert(line.end(), metric.measured.begin(), metric.measured.end());
    lines.push_back(std::move(line));
  }
  fmt::print("hakmem {}, {} profile\n\n{}\n", shown_version(contest.ours[0]), contest.ours[0].name,
             layout_table(lines));
  for (const Metric& metric : metrics) {
    if (!metric.note.empty()) fmt::print("{}: {}\n", metric.name, metric.note);
  }
}

Json to_json(const Contest& contest, const std::vector<Metric>& metrics, std::uint64_t operations) {
  Json rows = Json::array();
  for (const Metric& metric : metrics) {
    Json measured = Json::object();
    for (std::size_t i = 0; i < metric.measured.size(); ++i) {
      const std::string& profile = contest.ours[i].name;
      measured[profile] = {{"text", metric.measured[i]},
                           {"value", metric.values[i] ? Json(*metric.values[i]) : Json(nullptr)}};
    }
    rows.push_back({{"metric", metric.name},
                    {"target", metric.target},
                    {"measured", measured},
                    {"status", text_of(metric.status)},
                    {"note", metric.note}});
  }
  return {{"kind", "hakmem score"},
          {"profile", contest.ours[0].name},
          {"operations", operations},
          {"metrics", rows}};
}

int score(const ScoreOptions& options) {
  const Contest contest = choose(options);
  std::vector<Metric> metrics;
  add_memory(contest, options.operations, metrics);
  add_start_up(contest, metrics);
  add_instructions(contest, !options.no_instructions, metrics);
  // Last, because it pins us to a CPU.
  std::vector<Metric> all;
  add_throughput(contest, Lockstep(contest, options.seconds), all);
  all.insert(all.end(), metrics.begin(), metrics.end());
  if (options.json) {
    fmt::print("{}\n", to_json(contest, all, options.operations).dump(1));
  } else {
    print_text(contest, all);
  }
  const bool missed = std::any_of(
      all.begin(), all.end(), [](const Metric& metric) { return metric.status == Status::missed; });
  return missed ? 1 : 0;
}

Action describe_score(CLI::App& app) {
  auto options = std::make_shared<ScoreOptions>();
  app.add_option("PEER", options->peers, "What to compare with (default: what is installed)");
  app.add_option("--profile", options->profile, "The one that is judged")
      ->check(CLI::IsMember({"speed", "balanced", "lean"}))
      ->capture_default_str();
  app.add_option("--ops", options->operations,
                 "Operations of the long run; 200000000 is the full one")
      ->check(CLI::Range(std::uint64_t{1000}, std::uint64_t{1'000'000'000'000}))
      ->capture_default_str();
  app.add_option("--seconds", options->seconds, "Of lockstep, for throughput and variation")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  app.add_flag("--no-instructions", options->no_instructions, "Do not count instructions");
  app.add_flag("--json", options->json, "Print a JSON document");
  app.footer(kScoreExamples);
  return [options](const Words&) { return score(*options); };
}

const Registration score_command{"score", "Print the scorecard: metric, target, measured, status",
                                 describe_score};

}  // namespace
}  // namespace hakmem::tools
