#include "lab/lockstep.hpp"

#include <fmt/format.h>
#include <sched.h>

#include "lab/error.hpp"

namespace hakmem::lab {
namespace {

// Runs `action` on behalf of an allocator, so that a failure bears its place.
template <class Action>
auto guarded(const std::vector<Allocator>& allocators, std::size_t who, Action action) {
  try {
    return action();
  } catch (const ProcessFailure& failure) {
    throw SideFailure(who, allocators[who].name, failure.what());
  }
}

}  // namespace

std::size_t side_at(std::size_t round, std::size_t turn, std::size_t count) {
  const std::size_t step = round % 2 == 0 ? turn : count - 1 - turn;
  return (step + round / 2) % count;
}

SetResult run_set(const SetPlan& plan, const std::vector<Allocator>& allocators,
                  std::uint64_t seed) {
  const std::size_t count = allocators.size();
  std::vector<Worker> workers;
  workers.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    guarded(allocators, i, [&] {
      workers.emplace_back(launch_worker(plan.workload, plan.pace, allocators[i], seed, plan.cpu),
                           plan.patience_seconds);
      workers.back().take_turn(plan.pace.warm_up);
    });
  }
  SetResult result;
  result.turns.resize(count);
  for (std::size_t round = 0; round < plan.rounds; ++round) {
    for (std::size_t turn = 0; turn < count; ++turn) {
      const std::size_t who = side_at(round, turn, count);
      result.turns[who].push_back(
          guarded(allocators, who, [&] { return workers[who].take_turn(plan.pace.turn); }));
    }
  }
  for (std::size_t i = 0; i < count; ++i)
    result.reports.push_back(guarded(allocators, i, [&] { return workers[i].finish(); }));
  return result;
}

int pin_controller(int cpu) {
  const std::vector<int> allowed = allowed_cpus();
  if (cpu < 0 && !allowed.empty()) cpu = allowed.back();
  cpu_set_t one;
  CPU_ZERO(&one);
  if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_SET(static_cast<unsigned>(cpu), &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0)
    throw UsageError(fmt::format("cannot use CPU {}", cpu));
  return cpu;
}

}  // namespace hakmem::lab
