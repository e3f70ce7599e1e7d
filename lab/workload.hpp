// The built-in workloads, and how a process that runs one is started.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/process.hpp"

namespace hakmem::lab {

struct Workload {
  std::string name = "mixed";
  unsigned threads = 0;  // 0: Mixed in one thread, on one CPU; else all threads on all CPUs
  // Of Mixed in one thread.
  std::uint64_t working_set = 400;
  std::uint64_t size_mask = 1023;  // sizes are 16 + (r & size_mask)
  // Of the threaded ones: time each call; throughput then says little.
  bool latency = false;

  [[nodiscard]] bool threaded() const { return threads > 0; }
};

// Lengths of slices, in what the worker counts them in.
struct Pace {
  std::uint64_t warm_up;
  std::uint64_t turn;
};

// Throws UsageError: no such workload, too few threads for it, sizes that are not 2^n - 1.
void check_workload(const Workload& workload);

// "Mixed, working set 400, sizes 16..1039 B", "larson, 8 threads"
std::string describe(const Workload& workload);

// The names that `name` may have with threads.
const std::vector<std::string>& threaded_workloads();

// A turn of 1 to 5 ms for Mixed, of 15 ms and more for threads.
double usual_slice_ms(const Workload& workload);

// The lengths at which a turn of `allocator` takes so long: asked of a process of its own.
Pace calibrate(const Workload& workload, const Allocator& allocator, double slice_ms, int cpu);

Launch launch_worker(const Workload& workload, const Pace& pace, const Allocator& allocator,
                     std::uint64_t seed, int cpu);

}  // namespace hakmem::lab
