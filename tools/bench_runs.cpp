#include "bench_runs.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "child.hpp"
#include "lab/companion.hpp"
#include "lab/lockstep.hpp"
#include "workloads.hpp"

namespace hakmem::tools {
namespace {

using Json = nlohmann::ordered_json;

// Puts the CPUs that we may run on back when it goes: a table of Mixed pins us, the next one may
// not.
class KeepCpus {
 public:
  KeepCpus() { sched_getaffinity(0, sizeof cpus_, &cpus_); }
  ~KeepCpus() { sched_setaffinity(0, sizeof cpus_, &cpus_); }
  KeepCpus(const KeepCpus&) = delete;
  KeepCpus& operator=(const KeepCpus&) = delete;

 private:
  cpu_set_t cpus_{};
};

using Clock = std::chrono::steady_clock;
constexpr std::size_t kFewestRounds = 4;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool has_tags(const lab::Workload& workload) {
  return workload.threaded() && workload.name != "mixed";
}

struct Samples {
  std::vector<std::vector<double>> ratios;  // one inner vector for each set of processes
  std::vector<std::vector<double>> floors;
  std::vector<double> nanoseconds, peaks, faults;
};

double cost(const lab::Workload& workload, const lab::Turn& turn) {
  return workload.threaded() ? turn.wall() : turn.cpu();
}

std::size_t place_of(const std::vector<lab::Allocator>& allocators, const std::string& name) {
  const auto found = std::find_if(allocators.begin(), allocators.end(),
                                  [&](const auto& allocator) { return allocator.name == name; });
  return static_cast<std::size_t>(found - allocators.begin());
}

void add_set(const lab::Workload& workload, const std::vector<lab::Allocator>& allocators,
             const lab::SetResult& result, std::size_t reference, std::vector<Samples>& all) {
  const std::size_t null = place_of(allocators, "null");
  for (std::size_t i = 0; i < allocators.size(); ++i) {
    std::vector<double>& ratios = all[i].ratios.emplace_back();
    std::vector<double>& floors = all[i].floors.emplace_back();
    for (std::size_t round = 0; round < result.turns[i].size(); ++round) {
      const double own = cost(workload, result.turns[i][round]);
      if (own <= 0) continue;
      ratios.push_back(own / cost(workload, result.turns[reference][round]));
      if (null < allocators.size()) {
        floors.push_back(cost(workload, result.turns[null][round]) / own);
      }
      all[i].nanoseconds.push_back(own);
    }
    all[i].peaks.push_back(Json::parse(result.reports[i].text).at("peak_rss_kib").get<double>() *
                           1024 / 1e6);
    all[i].faults.push_back(static_cast<double>(result.reports[i].usage.faults));
  }
}

std::optional<Percentiles> percentiles_in(const Json& report, const char* call) {
  const auto found = report.find(call);
  if (found == report.end()) return std::nullopt;
  return Percentiles{found->at("p50"), found->at("p99"), found->at("p99.9")};
}

// A run of its own: timing each call distorts throughput.
void add_latency(lab::SetPlan plan, const std::vector<lab::Allocator>& allocators, double seconds,
                 std::vector<BenchRow>& rows) {
  plan.workload.latency = true;
  const double turn = 1e-9 * static_cast<double>(plan.pace.turn);
  const double rounds = seconds / (turn * static_cast<double>(allocators.size()));
  plan.rounds = std::max<std::size_t>(2, static_cast<std::size_t>(rounds));
  const lab::SetResult result = lab::run_set(plan, allocators, 1);
  for (std::size_t i = 0; i < allocators.size(); ++i) {
    const Json report = Json::parse(result.reports[i].text);
    rows[i].malloc_calls = percentiles_in(report, "malloc_ns");
    rows[i].free_calls = percentiles_in(report, "free_ns");
  }
}

// Those that take part for as long as none fails.
void measure(BenchTable& table, const std::vector<lab::Allocator>& allocators,
             const BenchPlan& plan, const Tell& tell) {
  const lab::Workload& workload = table.workload;
  const Clock::time_point start = Clock::now();
  const KeepCpus keep;
  lab::SetPlan set;
  set.workload = workload;
  set.cpu = workload.threaded() ? -1 : lab::pin_controller(-1);
  const double slice_ms = lab::usual_slice_ms(workload) * (workload.working_set > 100'000 ? 5 : 1);
  std::size_t reference = place_of(allocators, plan.reference);
  if (reference == allocators.size())
    reference = allocators.front().name == "null" && allocators.size() > 1 ? 1 : 0;
  table.reference = allocators[reference].name;
  set.pace = lab::calibrate(workload, allocators[reference], slice_ms, set.cpu);

  // A large table is slow to fill: fewer sets of fresh processes.
  table.sets = workload.threaded() ? 3 : workload.working_set > 100'000 ? 2 : 5;
  const bool latency = plan.latency && workload.threaded();
  const double for_turns = plan.seconds * (latency ? 0.7 : 0.9);
  const double turns = for_turns * 1000 / (1.3 * slice_ms);
  set.rounds = std::max<std::size_t>(
      kFewestRounds,
      static_cast<std::size_t>(turns / static_cast<double>(table.sets * allocators.size())));

  std::vector<Samples> samples(allocators.size());
  table.rounds = 0;
  for (std::size_t number = 0; number < table.sets; ++number) {
    tell(fmt::format("{}: set {} of {}", table.title, number + 1, table.sets));
    const double before = seconds_since(start);
    add_set(workload, allocators, lab::run_set(set, allocators, number + 1), reference, samples);
    table.rounds += set.rounds;
    // What a set really takes is known now: the others must fit into what is left.
    const double now = seconds_since(start);
    const double allowed =
        (for_turns - now) / static_cast<double>(std::max<std::size_t>(1, table.sets - number - 1));
    const double faster = std::clamp(allowed / (now - before), 0.1, 1.0);
    set.rounds =
        std::max(kFewestRounds, static_cast<std::size_t>(static_cast<double>(set.rounds) * faster));
  }
  table.rows.clear();
  for (std::size_t i = 0; i < allocators.size(); ++i) {
    BenchRow row;
    row.name = allocators[i].name;
    row.version = shown_version(allocators[i]);
    row.time = lab::estimate(samples[i].ratios);
    if (!samples[i].floors.front().empty()) row.floor = lab::estimate(samples[i].floors);
    row.nanoseconds = lab::median(samples[i].nanoseconds);
    row.peak_mb = lab::median(samples[i].peaks);
    row.faults = lab::median(samples[i].faults);
    table.rows.push_back(std::move(row));
  }
  if (latency) {
    tell(fmt::format("{}: latency", table.title));
    add_latency(set, allocators, plan.seconds * 0.2, table.rows);
  }
}

void count_calls(BenchTable& table, const std::vector<lab::Allocator>& allocators,
                 const Tell& tell) {
  tell(fmt::format("{}: system calls", table.title));
  const std::uint64_t operations = table.workload.threaded() ? 100'000 : 1'000'000;
  for (std::size_t i = 0; i < allocators.size(); ++i) {
    const auto calls = count_memory_calls(table.workload, allocators[i], operations);
    if (calls) {
      table.rows[i].memory_calls = static_cast<double>(*calls) / static_cast<double>(operations);
    }
  }
}

}  // namespace

std::optional<long> count_memory_calls(const lab::Workload& workload,
                                       const lab::Allocator& allocator, std::uint64_t operations) {
  lab::Launch launch;
  launch.preload = allocator.library;
  launch.environment = allocator.environment;
  launch.command = command_of(workload, operations);
  if (workload.threaded()) {
    launch.command.emplace_back("--count-syscalls");
  } else {
    std::erase(launch.command, "--no-syscall-count");
  }
  try {
    const std::string text = lab::output_of(launch, 120);
    const std::size_t at = text.find("memory syscalls:");
    const std::size_t count = at == std::string::npos ? at : text.find('(', at);
    if (count == std::string::npos) return std::nullopt;
    char* end = nullptr;
    const long calls = std::strtol(text.c_str() + count + 1, &end, 10);
    // Else there is a reason in its place.
    return std::string(end).rfind(" in the timed part", 0) == 0 ? std::optional(calls)
                                                                : std::nullopt;
  } catch (const lab::ProcessFailure&) {
    return std::nullopt;
  }
}

std::string shown_version(const lab::Allocator& allocator) {
  if (allocator.name == "null") return "";
  std::string own = lab::version_of(allocator);
  if (!own.empty() || allocator.library.empty() || !has_program("dpkg-query")) return own;
  // The package that the file comes from, if any.
  const Finished owner =
      run_child({"dpkg-query", "--search", std::filesystem::canonical(allocator.library)});
  if (!owner.ok()) return "";
  const std::string package = owner.out.substr(0, owner.out.find(": "));
  const std::string version =
      run_child({"dpkg-query", "--show", "--showformat", "${Version}", package}).out;
  return version.substr(0, version.find('-'));
}

BenchTable measure_table(const lab::Workload& workload, std::vector<lab::Allocator> allocators,
                         const BenchPlan& plan, const Tell& tell) {
  BenchTable table;
  table.workload = workload;
  table.title = lab::describe(workload);
  if (has_tags(workload)) {
    std::erase_if(allocators, [](const auto& allocator) { return allocator.name == "null"; });
  }
  while (!allocators.empty()) {
    try {
      measure(table, allocators, plan, tell);
      count_calls(table, allocators, tell);
      return table;
    } catch (const lab::SideFailure& failure) {
      table.failed.emplace_back(allocators[failure.who].name, failure.why);
      allocators.erase(allocators.begin() + static_cast<std::ptrdiff_t>(failure.who));
    }
  }
  table.rows.clear();
  return table;
}

std::string layout_table(const std::vector<std::vector<std::string>>& lines) {
  std::vector<std::size_t> widths;
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const auto& line : lines) {
    std::string row;
    for (std::size_t i = 0; i < line.size(); ++i) {
      row += i == 0 ? fmt::format("{:<{}}", line[i], widths[i])
                    : fmt::format("  {:>{}}", line[i], widths[i]);
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

}  // namespace hakmem::tools
