// threads_lockstep: compares allocators on one threaded workload, on a machine whose speed drifts.
// One process per allocator, with all its threads on all CPUs; the processes take turns in slices
// of some ten milliseconds, in an order that rotates and turns round, while the threads of the
// others wait. Each round gives one ratio to the first allocator, in whose time the drift cancels.
// The processes are started anew several times, as memory layout moves a process for all its life.
// Prints one JSON object. script/bench-threads calls it for each workload and makes tables.
#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../bootstrap.h"
#include "side.h"

namespace {

using bench::Allocator;
using bench::Side;
using bench::SideFailure;
using nlohmann::json;

struct Options {
  std::string worker = "threads_worker";
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

// Which allocator, by its place in the list, and why.
struct Fault {
  std::size_t who;
  std::string why;
};

[[noreturn]] void complain(const std::string& message, int code) {
  fmt::print(stderr, "threads_lockstep: {}\n", message);
  std::exit(code);
}

Options read_options(int argc, char** argv) {
  Options options;
  CLI::App app{"Compare allocators on a threaded workload, turn by turn. Prints JSON."};
  app.add_option("--worker", options.worker, "the program beside this one that is run")
      ->capture_default_str();
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

std::vector<Allocator> read_allocators(const std::vector<std::string>& words) {
  std::vector<Allocator> allocators;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == 0 || equals == std::string::npos)
      complain(fmt::format("'{}' is not name=library.so", word), 2);
    Allocator allocator{word.substr(0, equals), word.substr(equals + 1)};
    if (!allocator.library.empty()) {
      if (access(allocator.library.c_str(), R_OK) != 0)
        complain(fmt::format("{}: cannot read {}", allocator.name, allocator.library), 2);
      allocator.library = std::filesystem::absolute(allocator.library);
    }
    allocators.push_back(std::move(allocator));
  }
  return allocators;
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

  // Throws Fault.
  void run() {
    for (std::size_t set = 0; set < options_.sets; ++set) run_set(set + 1);
  }

  json summary() {
    json list = json::array();
    for (std::size_t i = 0; i < allocators_.size(); ++i) list.push_back(summary_of(i));
    return list;
  }

 private:
  // Runs `action` on behalf of an allocator, so that a failure bears its place.
  template <class Action>
  auto guarded(std::size_t who, Action action) {
    try {
      return action();
    } catch (const SideFailure& failure) {
      throw Fault{who, failure.what()};
    }
  }

  void run_set(std::size_t seed) {
    const std::string program =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / options_.worker;
    std::vector<std::string> command = {program, options_.workload,
                                        std::to_string(options_.threads), "turns",
                                        std::to_string(seed)};
    if (options_.latency) command.emplace_back("--latency");
    std::vector<Side> sides;
    sides.reserve(allocators_.size());
    for (std::size_t i = 0; i < allocators_.size(); ++i) {
      sides.emplace_back(command, allocators_[i], options_.patience);
      guarded(i, [&] { return sides[i].take_turn(4 * options_.slice_ms); });
    }
    for (Result& result : results_) {
      result.wall_ratios.emplace_back();
      result.cpu_ratios.emplace_back();
    }
    const std::size_t rounds = rounds_of(options_);
    for (std::size_t round = 0; round < rounds; ++round) run_round(sides, round);
    for (std::size_t i = 0; i < sides.size(); ++i)
      results_[i].reports.push_back(json::parse(guarded(i, [&] { return sides[i].finish(); })));
  }

  void run_round(std::vector<Side>& sides, std::size_t round) {
    const std::size_t count = sides.size();
    std::vector<double> wall(count);
    std::vector<double> cpu(count);
    for (std::size_t turn = 0; turn < count; ++turn) {
      const std::size_t step = round % 2 == 0 ? turn : count - 1 - turn;
      const std::size_t who = (step + round / 2) % count;
      const Side::Turn took = guarded(who, [&] { return sides[who].take_turn(options_.slice_ms); });
      const double operations = static_cast<double>(std::max<std::uint64_t>(1, took.operations));
      wall[who] = static_cast<double>(took.wall_nanoseconds) / operations;
      cpu[who] = static_cast<double>(took.cpu_nanoseconds) / operations;
    }
    for (std::size_t i = 0; i < count; ++i) {
      results_[i].wall_ratios.back().push_back(wall[i] / wall[0]);
      results_[i].cpu_ratios.back().push_back(cpu[i] / cpu[0]);
      results_[i].wall.push_back(wall[i]);
      results_[i].cpu.push_back(cpu[i]);
    }
  }

  static json estimate(const std::vector<std::vector<double>>& ratios) {
    const bench::Estimate estimate = bench::estimate(ratios);
    return {{"median", estimate.median}, {"low", estimate.low}, {"high", estimate.high}};
  }

  // The median over the sets of what the reports say under `path`.
  static double reported(const Result& result, const std::string& path) {
    std::vector<double> values;
    for (const json& report : result.reports)
      values.push_back(report.at(json::json_pointer(path)).get<double>());
    return bench::median(values);
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
                    {"ns", bench::median(result.wall)},
                    {"cpu_ns", bench::median(result.cpu)},
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
  std::vector<Allocator> allocators = read_allocators(options.allocators);
  signal(SIGPIPE, SIG_IGN);  // a dead process is reported, not died of
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
    } catch (const Fault& fault) {
      // Begin anew without it: ratios to an allocator that dropped out would have no other side.
      output["failed"][allocators[fault.who].name] = fault.why;
      allocators.erase(allocators.begin() + static_cast<std::ptrdiff_t>(fault.who));
    }
  }
  fmt::print("{}\n", output.dump());
  return 0;
} catch (const std::exception& error) {
  complain(error.what(), 1);
}
