// lockstep: compares allocators on the Mixed workload, on a machine whose speed drifts. One process
// per allocator, all on one CPU, take turns of about a millisecond in an order that rotates and
// turns round; each round gives one ratio to the first allocator, in whose time the drift cancels.
// Memory layout moves a process by about 1 % for all its life, so the processes are started anew
// several times.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lab/bootstrap.hpp"
#include "lab/lockstep.hpp"

namespace {

namespace lab = hakmem::lab;
using lab::Allocator;

struct Options {
  std::uint64_t working_set = 400;
  std::uint64_t size_mask = 1023;
  double slice_ms = 1;
  std::size_t sets = 10;
  std::size_t rounds = 200;
  int cpu = -1;
  std::vector<std::string> allocators;
};

// What was measured of one allocator: one inner vector per set of processes.
struct Result {
  std::vector<std::vector<double>> ratios;
  std::vector<double> nanoseconds;  // per operation
  std::vector<double> peaks;        // MB
};

Options read_options(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Compare allocators on Mixed, turn by turn on one CPU. Ratios are to the first one."};
  app.add_option("--working-set", options.working_set, "slots")
      ->check(CLI::Range(1ULL, 1ULL << 31))
      ->capture_default_str();
  app.add_option("--size-mask", options.size_mask, "sizes are 16 + (r & mask)")
      ->check(CLI::Range(1ULL, (1ULL << 20) - 1))
      ->capture_default_str();
  app.add_option("--slice-ms", options.slice_ms, "length of a turn of the first allocator")
      ->check(CLI::Range(0.1, 100.0))
      ->capture_default_str();
  app.add_option("--sets", options.sets, "how often the processes are started anew")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "turns of each process")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--cpu", options.cpu, "the CPU to run on (default: the last allowed one)");
  app.add_option("allocators", options.allocators,
                 "name=library.so to preload; name= for libc's malloc")
      ->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    std::exit(code == 0 ? 0 : 2);
  }
  return options;
}

[[noreturn]] void fail(const std::string& message, int code) {
  fmt::print(stderr, "lockstep: {}\n", message);
  std::exit(code);
}

double peak_mb(const lab::Report& report) {
  return nlohmann::json::parse(report.text).at("peak_rss_kib").get<double>() * 1024 / 1e6;
}

void run_set(const lab::SetPlan& plan, const std::vector<Allocator>& allocators, std::size_t set,
             std::vector<Result>& results) {
  const lab::SetResult done = lab::run_set(plan, allocators, set + 1);
  for (std::size_t i = 0; i < allocators.size(); ++i) {
    std::vector<double>& ratios = results[i].ratios.emplace_back();
    for (std::size_t round = 0; round < plan.rounds; ++round) {
      const double time = done.turns[i][round].cpu();
      ratios.push_back(time / done.turns[0][round].cpu());
      results[i].nanoseconds.push_back(time);
    }
    results[i].peaks.push_back(peak_mb(done.reports[i]));
  }
}

void print_results(const std::vector<Allocator>& allocators, std::vector<Result>& results) {
  fmt::print("{:<16} {:>8}  {:>16} {:>8} {:>10}\n", "allocator", "time", "95 % interval", "ns/op",
             "peak MB");
  for (std::size_t i = 0; i < allocators.size(); ++i) {
    const lab::Estimate ratio = lab::estimate(results[i].ratios);
    const std::string interval =
        i == 0 ? "" : fmt::format("{:.3f} to {:.3f}", ratio.low, ratio.high);
    fmt::print("{:<16} {:>8.3f}  {:>16} {:>8.2f} {:>10.2f}\n", allocators[i].name, ratio.median,
               interval, lab::median(results[i].nanoseconds), lab::median(results[i].peaks));
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = read_options(argc, argv);
  lab::SetPlan plan;
  plan.workload.working_set = options.working_set;
  plan.workload.size_mask = options.size_mask;
  plan.rounds = options.rounds;
  lab::check_workload(plan.workload);
  const std::vector<Allocator> allocators = lab::parse_allocators(options.allocators, false);
  plan.cpu = lab::pin_controller(options.cpu);
  plan.pace = lab::calibrate(plan.workload, allocators[0], options.slice_ms, plan.cpu);

  std::vector<Result> results(allocators.size());
  for (std::size_t set = 0; set < options.sets; ++set) {
    if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\rset {} of {} \r", set + 1, options.sets);
    run_set(plan, allocators, set, results);
  }
  fmt::print("{}: {} sets of processes x {} rounds, turns of {} operations, CPU {}\n",
             lab::describe(plan.workload), options.sets, options.rounds, plan.pace.turn, plan.cpu);
  print_results(allocators, results);
  return 0;
} catch (const lab::UsageError& error) {
  fail(error.what(), 2);
} catch (const std::exception& error) {
  fail(error.what(), 1);
}
