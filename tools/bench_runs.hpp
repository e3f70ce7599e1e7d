// One table of `hakmem bench`: a workload under several allocators, whose processes take turns.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lab/allocator.hpp"
#include "lab/bootstrap.hpp"
#include "lab/workload.hpp"

namespace hakmem::tools {

struct Percentiles {
  double p50 = 0, p99 = 0, p999 = 0;  // nanoseconds of a call
};

struct BenchRow {
  std::string name;
  std::string version;
  lab::Estimate time{};                // of an operation, relative to the reference
  std::optional<lab::Estimate> floor;  // the null allocator's time by this one's
  double nanoseconds = 0;              // of an operation
  double peak_mb = 0;
  double faults = 0;                   // page faults of the whole process
  std::optional<double> memory_calls;  // memory system calls of an operation
  std::optional<Percentiles> malloc_calls;
  std::optional<Percentiles> free_calls;
};

struct BenchTable {
  lab::Workload workload;
  std::string title;
  std::string reference;
  std::size_t sets = 0;
  std::size_t rounds = 0;
  std::vector<BenchRow> rows;
  std::vector<std::pair<std::string, std::string>> failed;  // who, why
};

struct BenchPlan {
  double seconds = 30;  // for this table
  bool latency = true;
  std::string reference;  // a name; where it is not among the allocators, the first one
};

// Says where it is, every now and then.
using Tell = std::function<void(const std::string& what)>;

// An allocator named "null" gives the floor. It is left out where objects bear tags. An allocator
// that fails is left out, too, and the measuring begins anew without it.
BenchTable measure_table(const lab::Workload& workload, std::vector<lab::Allocator> allocators,
                         const BenchPlan& plan, const Tell& tell);

// Memory system calls in the timed part of a run of so many operations; no value where tracing is
// not allowed.
std::optional<long> count_memory_calls(const lab::Workload& workload,
                                       const lab::Allocator& allocator, std::uint64_t operations);

// What the library says of itself, else what the package it comes from says; "" where neither does.
std::string shown_version(const lab::Allocator& allocator);

// A table with one line for each row, columns as wide as they need to be; the first is flush left.
std::string layout_table(const std::vector<std::vector<std::string>>& lines);

// One self-contained page: tables, and plots as inline SVG.
std::string bench_page(const std::vector<BenchTable>& tables, const std::string& machine);

}  // namespace hakmem::tools
