#include "lab/workload.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lab/bootstrap.hpp"
#include "lab/companion.hpp"
#include "lab/error.hpp"
#include "lab/worker.hpp"

namespace hakmem::lab {

const std::vector<std::string>& threaded_workloads() {
  static const std::vector<std::string> names = {
      "larson",      "pairs",         "1to3",         "3to1",  "buffers",   "migrating",
      "short-lived", "cache-scratch", "cache-thrash", "mixed", "web-server"};
  return names;
}

void check_workload(const Workload& workload) {
  const auto& names = threaded_workloads();
  if (std::find(names.begin(), names.end(), workload.name) == names.end()) {
    throw UsageError(fmt::format("there is no workload '{}'; there are {}", workload.name,
                                 fmt::join(names, ", ")));
  }
  const bool hands_over = workload.name == "pairs" || workload.name == "1to3" ||
                          workload.name == "3to1" || workload.name == "buffers";
  const unsigned least = workload.name == "mixed" ? 0 : hands_over ? 2 : 1;
  if (workload.threads < least || workload.threads > 4096)
    throw UsageError(fmt::format("{} needs {} to 4096 threads", workload.name, least));
  if (workload.threaded()) return;
  if (workload.working_set < 1 || workload.working_set > 1ULL << 31)
    throw UsageError("the working set is 1 to 2^31 slots");
  if ((workload.size_mask & (workload.size_mask + 1)) != 0 || workload.size_mask == 0 ||
      workload.size_mask >= 1ULL << 20) {
    throw UsageError("--size-mask must be 2^n - 1, below 2^20");
  }
}

std::string describe(const Workload& workload) {
  if (workload.threaded()) return fmt::format("{}, {} threads", workload.name, workload.threads);
  return fmt::format("Mixed, working set {}, sizes 16..{} B", workload.working_set,
                     16 + workload.size_mask);
}

double usual_slice_ms(const Workload& workload) {
  if (workload.threaded()) return std::max(15.0, workload.threads * 1.0);
  // A large working set is slow to run through.
  return workload.working_set > 500'000 ? 5.0 : workload.working_set > 20'000 ? 2.0 : 1.0;
}

Pace calibrate(const Workload& workload, const Allocator& allocator, double slice_ms, int cpu) {
  if (workload.threaded()) {
    const auto turn = static_cast<std::uint64_t>(slice_ms * 1e6);
    return {4 * turn, turn};
  }
  Pace pace{10 * workload.working_set + 1'000'000, 100'000};
  Worker worker(launch_worker(workload, pace, allocator, 1, cpu));
  worker.take_turn(pace.warm_up);
  std::vector<double> times(20);
  for (double& time : times) time = worker.take_turn(pace.turn).cpu();
  worker.finish();
  pace.turn =
      std::max<std::uint64_t>(1000, static_cast<std::uint64_t>(slice_ms * 1e6 / median(times)));
  return pace;
}

Launch launch_worker(const Workload& workload, const Pace& pace, const Allocator& allocator,
                     std::uint64_t seed, int cpu) {
  Launch launch;
  launch.preload = allocator.library;
  launch.environment = allocator.environment;
  launch.cpu = cpu;
  if (workload.threaded()) {
    launch.command = {companion("threads_worker"), workload.name, std::to_string(workload.threads),
                      "turns", std::to_string(seed)};
    if (workload.latency) launch.command.emplace_back("--latency");
    return launch;
  }
  // Enough to visit every slot a few times where the working set fits into a turn: the others have
  // used the caches since.
  const std::uint64_t lead_in = std::min(4 * workload.working_set, pace.turn / 4);
  launch.command = {companion("mixed_worker"), std::to_string(workload.working_set),
                    std::to_string(workload.size_mask), std::to_string(seed),
                    std::to_string(lead_in)};
  return launch;
}

}  // namespace hakmem::lab
