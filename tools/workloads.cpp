#include "workloads.hpp"

#include <fmt/format.h>

#include "library.hpp"

namespace hakmem::tools {

const std::vector<BuiltIn>& built_in_workloads() {
  static const std::vector<BuiltIn> all = {
      {"mixed", false, 400, 1023, "random malloc and free, 400 slots, 16 to 1,039 B"},
      {"mixed-64k", false, 65'536, 255, "the same, 65,536 slots, 16 to 271 B"},
      {"mixed-1m", false, 1'000'000, 1023, "the same, a million slots, 16 to 1,039 B"},
      {"larson", true, 0, 0, "threads replace objects of tables that they pass on"},
      {"pairs", true, 0, 0, "one thread allocates, another frees"},
      {"1to3", true, 0, 0, "one thread allocates, three free"},
      {"3to1", true, 0, 0, "three threads allocate, one frees"},
      {"migrating", true, 0, 0, "objects swapped between threads that end and start"},
      {"short-lived", true, 0, 0, "threads that allocate a few hundred objects and end"},
      {"cache-thrash", true, 0, 0, "every thread writes into small objects of its own"},
      {"cache-scratch", true, 0, 0, "the same, after one thread handed out neighbours"},
      {"mixed-threads", true, 0, 0, "mixed, a table of 400 for each thread"},
      {"web-server", true, 0, 0, "requests pass through three threads"},
  };
  return all;
}

const BuiltIn& workload_named(const std::string& name) {
  std::string names;
  for (const BuiltIn& workload : built_in_workloads()) {
    if (workload.name == name) return workload;
    names += (names.empty() ? "" : ", ") + workload.name;
  }
  throw UsageError(fmt::format("no workload '{}'; there are {}", name, names));
}

std::string bench_program(const std::string& name) {
  const std::string program = own_helper(name);
  if (program.empty()) {
    throw std::runtime_error(fmt::format(
        "{} is neither beside this command nor installed; build all of the project", name));
  }
  return program;
}

Words command_of(const BuiltIn& workload, std::uint64_t operations, unsigned threads) {
  const std::string count = std::to_string(operations);
  if (!workload.threaded) {
    return {bench_program("bench_random_mixed_hakmem_minimal"), "--no-syscall-count", count,
            std::to_string(workload.working_set), "1", std::to_string(workload.size_mask)};
  }
  const std::string name = workload.name == "mixed-threads" ? "mixed" : workload.name;
  return {bench_program("threads_worker"), name, std::to_string(threads), count, "1"};
}

}  // namespace hakmem::tools
