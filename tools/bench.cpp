// hakmem bench: how do allocators stand? Built-in workloads under any number of them.
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench_runs.hpp"
#include "command.hpp"
#include "lab/machine.hpp"
#include "lab/process.hpp"
#include "workloads.hpp"

namespace hakmem::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kBenchExamples = R"(Examples:
  hakmem bench                                        all that is installed, four workloads
  hakmem bench --workload mixed --budget 30 hakmem mimalloc
  hakmem bench --workload larson,web-server --threads 2,8 --html page.html
  hakmem bench old=./old.so new=./new.so --json

Allocators: name=path.so, or null, glibc, hakmem, or an installed peer by its name (mimalloc,
jemalloc, tcmalloc, tbbmalloc). Without any, all of these. Time is relative to HAKMEM, or to the
first one where HAKMEM is not among them; below 1 is faster. The null allocator, whose malloc and
free do nothing, is the floor: "of floor" is its time by the allocator's. Intervals are 95 %.)";

struct BenchOptions {
  std::vector<std::string> allocators;
  std::vector<std::string> workloads = {"mixed", "mixed-64k", "larson", "pairs"};
  std::vector<unsigned> threads;
  double budget = 140;
  bool no_latency = false;
  bool json = false;
  std::optional<std::string> html;
};

std::vector<lab::Workload> choose_workloads(const BenchOptions& options) {
  std::vector<lab::Workload> chosen;
  for (const std::string& name : options.workloads) {
    const bool has_threads = workload_named(name, 0).threaded();
    if (options.threads.empty() || (!has_threads && name != "mixed")) {
      chosen.push_back(workload_named(name, 0));
    } else {
      for (const unsigned threads : options.threads) {
        // Mixed with one thread is the plain one.
        chosen.push_back(workload_named(name, !has_threads && threads == 1 ? 0 : threads));
      }
    }
  }
  return chosen;
}

std::vector<lab::Allocator> choose_allocators(const BenchOptions& options) {
  Words words = options.allocators;
  if (words.empty()) words = {"null", "glibc", "hakmem"};
  std::vector<lab::Allocator> allocators = lab::parse_allocators(words);
  if (options.allocators.empty()) {
    for (lab::Allocator& peer : lab::installed_peers()) allocators.push_back(std::move(peer));
  }
  const bool has_null = std::find_if(allocators.begin(), allocators.end(), [](const auto& one) {
                          return one.name == "null";
                        }) != allocators.end();
  if (!has_null) allocators.insert(allocators.begin(), lab::parse_allocator("null"));
  return allocators;
}

std::string number(const std::optional<double>& value, const char* format) {
  return value ? fmt::format(fmt::runtime(format), *value) : "n/a";
}

void print_table(const BenchTable& table) {
  fmt::print("{}: time relative to {}; {} sets of processes, {} turns of each in all\n",
             table.title, table.reference, table.sets, table.rounds);
  const bool latency = table.workload.threaded();
  std::vector<std::string> head = {"allocator", "version", "time",   "95 % interval", "ns/op",
                                   "of floor",  "peak MB", "faults", "mem. calls/op"};
  if (latency) {
    for (const char* call : {"malloc", "free"}) {
      for (const char* share : {"p50", "p99", "p99.9"})
        head.push_back(fmt::format("{} {}", call, share));
    }
  }
  std::vector<std::vector<std::string>> lines = {head};
  for (const BenchRow& row : table.rows) {
    const bool is_reference = row.name == table.reference;
    std::vector<std::string> line = {
        row.name,
        row.version.empty() ? "-" : row.version,
        fmt::format("{:.3f}", row.time.median),
        is_reference ? "" : fmt::format("{:.3f} to {:.3f}", row.time.low, row.time.high),
        fmt::format("{:.2f}", row.nanoseconds),
        row.floor ? fmt::format("{:.1f} %", 100 * row.floor->median) : "n/a",
        fmt::format("{:.1f}", row.peak_mb),
        fmt::format("{:.0f}", row.faults),
        number(row.memory_calls, "{:.1e}")};
    if (latency) {
      for (const auto& calls : {row.malloc_calls, row.free_calls}) {
        line.push_back(calls ? fmt::format("{:.0f}", calls->p50) : "n/a");
        line.push_back(calls ? fmt::format("{:.0f}", calls->p99) : "n/a");
        line.push_back(calls ? fmt::format("{:.0f}", calls->p999) : "n/a");
      }
    }
    lines.push_back(std::move(line));
  }
  fmt::print("{}", layout_table(lines));
  for (const auto& [who, why] : table.failed) fmt::print("{} FAILED: {}\n", who, why);
  fmt::print("\n");
}

Json to_json(const BenchTable& table) {
  const auto estimate = [](const lab::Estimate& value) {
    return Json{{"median", value.median}, {"low", value.low}, {"high", value.high}};
  };
  const auto percentiles = [](const std::optional<Percentiles>& calls) {
    if (!calls) return Json(nullptr);
    return Json{{"p50", calls->p50}, {"p99", calls->p99}, {"p99.9", calls->p999}};
  };
  Json rows = Json::array();
  for (const BenchRow& row : table.rows) {
    rows.push_back(
        {{"name", row.name},
         {"version", row.version},
         {"time", estimate(row.time)},
         {"ns", row.nanoseconds},
         {"share_of_floor", row.floor ? estimate(*row.floor) : Json(nullptr)},
         {"peak_mb", row.peak_mb},
         {"page_faults", row.faults},
         {"memory_calls_per_operation", row.memory_calls ? Json(*row.memory_calls) : Json(nullptr)},
         {"malloc_ns", percentiles(row.malloc_calls)},
         {"free_ns", percentiles(row.free_calls)}});
  }
  Json failed = Json::object();
  for (const auto& [who, why] : table.failed) failed[who] = why;
  return {{"workload", short_name(table.workload)},
          {"title", table.title},
          {"threads", table.workload.threads},
          {"reference", table.reference},
          {"sets", table.sets},
          {"rounds", table.rounds},
          {"allocators", rows},
          {"failed", failed}};
}

// "processor: ..., CPUs: 2, ..."
std::string text_of(const Json& machine) {
  std::string text;
  for (const auto& [key, value] : machine.items()) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", key,
                        value.is_string()         ? value.get<std::string>()
                        : value.is_number_float() ? fmt::format("{:.1f}", value.get<double>())
                                                  : value.dump());
  }
  return text;
}

// Where we are and how long it will still take, on a terminal alone.
class Progress {
 public:
  explicit Progress(double budget) : budget_(budget) {}
  ~Progress() {
    if (shown_) fmt::print(stderr, "\r\033[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const std::string& what) {
    if (isatty(STDERR_FILENO) == 0) return;
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
    fmt::print(stderr, "\r\033[K{}, about {:.0f} s left", what,
               std::max(1.0, budget_ - spent.count()));
    std::fflush(stderr);
    shown_ = true;
  }

 private:
  double budget_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

int bench(const BenchOptions& options) {
  const std::vector<lab::Workload> workloads = choose_workloads(options);
  const std::vector<lab::Allocator> allocators = choose_allocators(options);
  // An unwritable page is found out before the measuring.
  std::ofstream page;
  if (options.html) {
    page.open(*options.html);
    if (!page) throw UsageError(fmt::format("--html {}: cannot be written", *options.html));
  }
  BenchPlan plan;
  plan.seconds = options.budget / static_cast<double>(workloads.size());
  plan.latency = !options.no_latency;
  plan.reference = "hakmem";
  std::vector<BenchTable> tables;
  {
    Progress progress(options.budget);
    for (const lab::Workload& workload : workloads) {
      tables.push_back(measure_table(workload, allocators, plan,
                                     [&](const std::string& what) { progress.show(what); }));
    }
  }
  const Json machine = lab::describe_machine();
  const std::string machine_text = text_of(machine);
  if (options.html) {
    page << bench_page(tables, machine_text);
    page.close();
    if (!page) throw std::runtime_error(fmt::format("cannot write {}", *options.html));
  }
  bool failed = false;
  Json document = {{"kind", "hakmem bench"}, {"machine", machine}, {"tables", Json::array()}};
  if (!options.json) fmt::print("{}\n\n", machine_text);
  for (const BenchTable& table : tables) {
    failed = failed || !table.failed.empty();
    if (options.json) {
      document["tables"].push_back(to_json(table));
    } else {
      print_table(table);
    }
  }
  if (options.json) fmt::print("{}\n", document.dump(1));
  return failed ? 1 : 0;
}

Action describe_bench(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  app.add_option("ALLOCATOR", options->allocators, "What to compare (default: all there are)");
  app.add_option("--workload", options->workloads, "Some of " + workload_names())
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME,...")
      ->capture_default_str();
  app.add_option("--threads", options->threads, "Numbers of threads (default: one for each CPU)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(1, 4096))
      ->type_name("N,...");
  app.add_option("--budget", options->budget, "Seconds for all of it, roughly")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
  app.add_flag("--no-latency", options->no_latency, "No percentiles of calls");
  app.add_flag("--json", options->json, "Print a JSON document");
  app.add_option("--html", options->html, "Write a page with plots, too")->type_name("FILE");
  app.footer(kBenchExamples);
  return [options](const Words&) { return bench(*options); };
}

const Registration bench_command{"bench", "Compare allocators on built-in workloads",
                                 describe_bench};

}  // namespace
}  // namespace hakmem::tools
