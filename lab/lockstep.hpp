// Processes that take turns, so that the drift of the machine's speed cancels in the ratios.
//
// A set is one process for each allocator. Each round gives every process a turn, in an order that
// rotates and turns round (ABBA for two): about 1 ms on one CPU for Mixed, 10 ms and more on all
// CPUs for threaded workloads, where the threads of the others wait meanwhile. Memory layout moves
// a process for all its life, so that one needs several sets.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "lab/worker.hpp"
#include "lab/workload.hpp"

namespace hakmem::lab {

struct SetPlan {
  Workload workload;
  Pace pace;
  std::size_t rounds = 200;
  int cpu = -1;  // of all processes; -1: wherever we may run
  double patience_seconds = 20;
};

struct SetResult {
  std::vector<std::vector<Turn>> turns;  // [allocator][round]
  std::vector<Report> reports;           // [allocator]
};

// The process of one of the allocators failed.
struct SideFailure : ProcessFailure {
  SideFailure(std::size_t who, const std::string& name, const std::string& why)
      : ProcessFailure(name + ": " + why), who(who), why(why) {}
  std::size_t who;  // its place in the list
  std::string why;
};

// Starts the processes, warms them up, runs the rounds and ends them. Throws SideFailure.
SetResult run_set(const SetPlan& plan, const std::vector<Allocator>& allocators,
                  std::uint64_t seed);

// Who of `count` has the given turn of the round.
std::size_t side_at(std::size_t round, std::size_t turn, std::size_t count);

// Puts this process on a CPU, so that it hands over turns without waking another one; -1: the last
// allowed one. Returns it. Throws UsageError.
int pin_controller(int cpu);

}  // namespace hakmem::lab
