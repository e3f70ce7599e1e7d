#include "workloads.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lab/companion.hpp"

namespace hakmem::tools {
namespace {

struct SizeOfMixed {
  const char* name;
  std::uint64_t working_set;
  std::uint64_t size_mask;
  double operations_per_second;  // roughly
};

// Those that the project is held to.
constexpr SizeOfMixed kMixed[] = {
    {"mixed", 400, 1023, 3e7}, {"mixed-64k", 65'536, 255, 2e7}, {"mixed-1m", 1'000'000, 1023, 4e6}};

}  // namespace

std::string workload_names() {
  std::string names;
  for (const SizeOfMixed& mixed : kMixed) names += std::string(mixed.name) + ", ";
  for (const std::string& name : lab::threaded_workloads()) {
    if (name != "mixed") names += name + ", ";
  }
  names.resize(names.size() - 2);
  return names;
}

lab::Workload workload_named(const std::string& name, unsigned threads) {
  lab::Workload workload;
  for (const SizeOfMixed& mixed : kMixed) {
    if (name != mixed.name || (threads > 0 && name == "mixed")) continue;
    workload.working_set = mixed.working_set;
    workload.size_mask = mixed.size_mask;
    return workload;
  }
  workload.name = name;
  workload.threads = threads;
  if (threads == 0) {
    workload.threads = std::max(2U, static_cast<unsigned>(lab::allowed_cpus().size()));
  }
  const auto& known = lab::threaded_workloads();
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    throw lab::UsageError(fmt::format("no workload '{}'; there are {}", name, workload_names()));
  }
  lab::check_workload(workload);
  return workload;
}

std::string short_name(const lab::Workload& workload) {
  for (const SizeOfMixed& mixed : kMixed) {
    if (!workload.threaded() && workload.working_set == mixed.working_set &&
        workload.size_mask == mixed.size_mask) {
      return mixed.name;
    }
  }
  return workload.name;
}

std::uint64_t operations_in(const lab::Workload& workload, double seconds) {
  double speed = 2e6;
  for (const SizeOfMixed& mixed : kMixed) {
    if (short_name(workload) == mixed.name) speed = mixed.operations_per_second;
  }
  return static_cast<std::uint64_t>(std::max(1.0, seconds * speed));
}

std::vector<std::string> command_of(const lab::Workload& workload, std::uint64_t operations) {
  const std::string count = std::to_string(operations);
  if (workload.threaded()) {
    return {lab::companion("threads_worker"), workload.name, std::to_string(workload.threads),
            count, "1"};
  }
  return {lab::companion("bench_random_mixed_hakmem_minimal"),
          "--no-syscall-count",
          count,
          std::to_string(workload.working_set),
          "1",
          std::to_string(workload.size_mask)};
}

}  // namespace hakmem::tools
