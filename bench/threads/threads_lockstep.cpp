// threads_lockstep: compares allocators on one threaded workload, on a machine whose speed drifts.
// One process per allocator, with all its threads on all CPUs; the processes take turns in slices
// of some ten milliseconds, in an order that rotates and turns round, while the threads of the
// others wait. Each round gives one ratio to the first allocator, in whose time the drift cancels.
// The processes are started anew several times, as memory layout moves a process for all its life.
// Prints one JSON object. script/bench-threads calls it for each workload and makes tables.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lab/bootstrap.hpp"
#include "lab/lockstep.hpp"

namespace {

namespace lab = hakmem::lab;
using lab::Allocator;
using nlohmann::json;

struct Options {
  std::string workload;
  unsigned threads = 2;
  double slice_ms = 0;
  std::size_t sets = 5;
  double seconds = 3;
  double patience = 20;
  bool latency = false;
  std::vector<std::string> allocators;
};

// What was measured of one allocator: one inner vector per set of processes.
struct Result {
  std::vector<std::vector<double>> wall_ratios;
  std::vector<std::vector<double>> cpu_ratios;
  std::vector<double> wall;  // nanoseconds of an operation
  std::vector<double> cpu;
  std::vector<json> reports;  // what the processes printed
};

[[noreturn]] void complain(const std::string& message, int code) {
  fmt::print(stderr, "threads_lockstep: {}\n", message);
  std::exit(code);
}

Options read_options(int argc, char** argv) {
  Options options;
  CLI::App app{"Compare allocators on a threaded workload, turn by turn. Prints JSON."};
  app.add_option("--workload", options.workload, "one that the worker knows")->required();
  app.add_option("--threads", options.threads, "of each process")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--slice-ms", options.slice_ms,
                 "length of a turn (default: 15, and a millisecond for each thread beyond that)")
      ->check(CLI::Range(1.0, 10'000.0));
  app.add_option("--sets", options.sets, "how often the processes are started anew")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "time for each allocator, over all sets")
      ->check(CLI::Range(0.001, 86'400.0))
      ->capture_default_str();
  app.add_option("--patience", options.patience, "seconds after which a silent process has hung")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_flag("--latency", options.latency, "time each call; throughput then says little");
  app.add_option("allocators", options.allocators,
                 "name=library.so to preload; name= for libc's malloc")
      ->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    std::exit(code == 0 ? 0 : 2);
  }
  if (options.slice_ms == 0) options.slice_ms = std::max(15.0, options.threads * 1.0);
  return options;
}

lab::Workload workload_of(const Options& options) {
  lab::Workload workload;
  workload.name = options.workload;
  workload.threads = options.threads;
  workload.latency = options.latency;
  return workload;
}

std::size_t rounds_of(const Options& options) {
  const double turns = options.seconds * 1000 / options.slice_ms;
  return std::max<std::size_t>(4,
                               static_cast<std::size_t>(turns / static_cast<double>(options.sets)));
}

class Comparison {
 public:
  Comparison(Options options, std::vector<Allocator> allocators)
      : options_(std::move(options)),
        allocators_(std::move(allocators)),
        results_(allocators_.size()) {}

  // Throws SideFailure.
  void run() {
    for (std::size_t set = 0; set < options_.sets; ++set) run_set(set + 1);
  }

  json summary() {
    json list = json::array();
    for (std::size_t i = 0; i < allocators_.size(); ++i) list.push_back(summary_of(i));
    return list;
  }

 private:
  void run_set(std::size_t seed) {
    lab::SetPlan plan;
    plan.workload = workload_of(options_);
    plan.pace = lab::calibrate(plan.workload, allocators_[0], options_.slice_ms, -1);
    plan.rounds = rounds_of(options_);
    plan.patience_seconds = options_.patience;
    const lab::SetResult done = lab::run_set(plan, allocators_, seed);
    for (std::size_t i = 0; i < allocators_.size(); ++i) {
      Result& result = results_[i];
      std::vector<double>& wall_ratios = result.wall_ratios.emplace_back();
      std::vector<double>& cpu_ratios = result.cpu_ratios.emplace_back();
      for (std::size_t round = 0; round < plan.rounds; ++round) {
        const lab::Turn& turn = done.turns[i][round];
        const lab::Turn& first = done.turns[0][round];
        wall_ratios.push_back(turn.wall() / first.wall());
        cpu_ratios.push_back(turn.cpu() / first.cpu());
        result.wall.push_back(turn.wall());
        result.cpu.push_back(turn.cpu());
      }
      result.reports.push_back(json::parse(done.reports[i].text));
    }
  }

  static json estimate(const std::vector<std::vector<double>>& ratios) {
    const lab::Estimate estimate = lab::estimate(ratios);
    return {{"median", estimate.median}, {"low", estimate.low}, {"high", estimate.high}};
  }

  // The median over the sets of what the reports say under `path`.
  static double reported(const Result& result, const std::string& path) {
    std::vector<double> values;
    for (const json& report : result.reports)
      values.push_back(report.at(json::json_pointer(path)).get<double>());
    return lab::median(values);
  }

  static double total(const Result& result, const std::string& path) {
    double sum = 0;
    for (const json& report : result.reports)
      sum += report.at(json::json_pointer(path)).get<double>();
    return sum;
  }

  static json latency_of(const Result& result, const std::string& call) {
    json latency;
    for (const char* figure : {"p50", "p99", "p99.9", "p99.99", "longest"})
      latency[figure] = reported(result, fmt::format("/{}/{}", call, figure));
    const double calls = total(result, fmt::format("/{}/calls", call));
    for (const std::string figure : {"pauses", "preempted"}) {
      const double pauses = total(result, fmt::format("/{}/{}", call, figure));
      latency[fmt::format("{}_per_million", figure)] = 1e6 * pauses / std::max(1.0, calls);
    }
    return latency;
  }

  json summary_of(std::size_t i) {
    Result& result = results_[i];
    json summary = {{"name", allocators_[i].name},
                    {"time", estimate(result.wall_ratios)},
                    {"cpu", estimate(result.cpu_ratios)},
                    {"ns", lab::median(result.wall)},
                    {"cpu_ns", lab::median(result.cpu)},
                    {"peak_mb", reported(result, "/peak_rss_kib") * 1024 / 1e6},
                    {"fairness", reported(result, "/fairness")}};
    for (const char* call : {"malloc_ns", "free_ns"})
      if (options_.latency) summary[call] = latency_of(result, call);
    return summary;
  }

  Options options_;
  std::vector<Allocator> allocators_;
  std::vector<Result> results_;
};

}  // namespace

int main(int argc, char** argv) try {
  const Options options = read_options(argc, argv);
  lab::check_workload(workload_of(options));
  std::vector<Allocator> allocators = lab::parse_allocators(options.allocators, false);
  json output = {{"workload", options.workload}, {"threads", options.threads},
                 {"slice_ms", options.slice_ms}, {"sets", options.sets},
                 {"rounds", rounds_of(options)}, {"failed", json::object()},
                 {"allocators", json::array()}};
  while (!allocators.empty()) {
    Comparison comparison(options, allocators);
    try {
      comparison.run();
      output["allocators"] = comparison.summary();
      break;
    } catch (const lab::SideFailure& fault) {
      // Begin anew without it: ratios to an allocator that dropped out would have no other side.
      output["failed"][allocators[fault.who].name] = fault.why;
      allocators.erase(allocators.begin() + static_cast<std::ptrdiff_t>(fault.who));
    }
  }
  fmt::print("{}\n", output.dump());
  return 0;
} catch (const lab::UsageError& error) {
  complain(error.what(), 2);
} catch (const std::exception& error) {
  complain(error.what(), 1);
}
