// lockstep: compares allocators on the Mixed workload, on a machine whose speed drifts. One process
// per allocator, all on one CPU, take turns of about a millisecond in an order that rotates and
// turns round; each round gives one ratio to the first allocator, in whose time the drift cancels.
// Memory layout moves a process by about 1 % for all its life, so the processes are started anew
// several times.
#include <fmt/core.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "bootstrap.h"
#include "lockstep_worker.h"

namespace {

using bench::Allocator;
using bench::Worker;
using bench::Workload;

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

std::vector<Allocator> read_allocators(const std::vector<std::string>& words) {
  std::vector<Allocator> allocators;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == 0 || equals == std::string::npos)
      fail(fmt::format("'{}' is not name=library.so", word), 2);
    Allocator allocator{word.substr(0, equals), word.substr(equals + 1)};
    if (!allocator.library.empty()) {
      if (access(allocator.library.c_str(), R_OK) != 0)
        fail(fmt::format("{}: cannot read {}", allocator.name, allocator.library), 2);
      allocator.library = std::filesystem::absolute(allocator.library);
    }
    allocators.push_back(std::move(allocator));
  }
  return allocators;
}

int pin(int cpu) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  for (int i = 0; cpu < 0 && i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(CPU_SETSIZE - 1 - i, &allowed)) cpu = CPU_SETSIZE - 1 - i;
  cpu_set_t one;
  CPU_ZERO(&one);
  if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_SET(cpu, &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) fail(fmt::format("cannot use CPU {}", cpu), 2);
  return cpu;
}

// How many operations the first allocator does in a turn: asked of a process of its own.
std::uint64_t calibrate(const std::string& program, const Allocator& allocator, Workload workload,
                        double slice_ms) {
  workload.slice = 100'000;
  workload.lead_in = 0;
  Worker worker(program, allocator, workload);
  worker.wait_until_warm();
  std::vector<double> times(20);
  for (double& time : times) time = static_cast<double>(worker.take_turn());
  const double operations = static_cast<double>(workload.slice) * slice_ms * 1e6;
  return std::max<std::uint64_t>(1000,
                                 static_cast<std::uint64_t>(operations / bench::median(times)));
}

void run_set(const std::string& program, const std::vector<Allocator>& allocators,
             const Workload& workload, std::size_t rounds, std::vector<Result>& results) {
  std::vector<Worker> workers;
  workers.reserve(allocators.size());
  for (const Allocator& allocator : allocators) {
    workers.emplace_back(program, allocator, workload);
    workers.back().wait_until_warm();
  }
  for (Result& result : results) result.ratios.emplace_back();
  const std::size_t count = workers.size();
  std::vector<double> times(count);
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t turn = 0; turn < count; ++turn) {
      const std::size_t step = round % 2 == 0 ? turn : count - 1 - turn;
      const std::size_t who = (step + round / 2) % count;
      times[who] = static_cast<double>(workers[who].take_turn());
    }
    for (std::size_t i = 0; i < count; ++i) {
      results[i].ratios.back().push_back(times[i] / times[0]);
      results[i].nanoseconds.push_back(times[i] / static_cast<double>(workload.slice));
    }
  }
  for (std::size_t i = 0; i < count; ++i)
    results[i].peaks.push_back(static_cast<double>(workers[i].finish()) * 1024 / 1e6);
}

void print_results(const std::vector<Allocator>& allocators, std::vector<Result>& results) {
  fmt::print("{:<16} {:>8}  {:>16} {:>8} {:>10}\n", "allocator", "time", "95 % interval", "ns/op",
             "peak MB");
  for (std::size_t i = 0; i < allocators.size(); ++i) {
    const bench::Estimate ratio = bench::estimate(results[i].ratios);
    const std::string interval =
        i == 0 ? "" : fmt::format("{:.3f} to {:.3f}", ratio.low, ratio.high);
    fmt::print("{:<16} {:>8.3f}  {:>16} {:>8.2f} {:>10.2f}\n", allocators[i].name, ratio.median,
               interval, bench::median(results[i].nanoseconds), bench::median(results[i].peaks));
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = read_options(argc, argv);
  if ((options.size_mask & (options.size_mask + 1)) != 0) fail("--size-mask must be 2^n - 1", 2);
  const std::vector<Allocator> allocators = read_allocators(options.allocators);
  const int cpu = pin(options.cpu);
  signal(SIGPIPE, SIG_IGN);  // a dead worker is reported, not died of
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "mixed_worker";

  Workload workload{};
  workload.working_set = options.working_set;
  workload.size_mask = options.size_mask;
  workload.seed = 1;
  workload.warm_up = 10 * options.working_set + 1'000'000;
  workload.slice = calibrate(program, allocators[0], workload, options.slice_ms);
  // Enough to visit every slot a few times where the working set fits into a turn.
  workload.lead_in = std::min(4 * options.working_set, workload.slice / 4);

  std::vector<Result> results(allocators.size());
  for (std::size_t set = 0; set < options.sets; ++set) {
    if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\rset {} of {} \r", set + 1, options.sets);
    workload.seed = set + 1;
    run_set(program, allocators, workload, options.rounds, results);
  }
  fmt::print(
      "Mixed, working set {}, sizes 16..{} B: {} sets of processes x {} rounds, turns of {} "
      "operations, CPU {}\n",
      options.working_set, 16 + options.size_mask, options.sets, options.rounds, workload.slice,
      cpu);
  print_results(allocators, results);
  return 0;
} catch (const std::exception& error) {
  fail(error.what(), 1);
}
