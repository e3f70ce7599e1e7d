#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "lab/pairs.hpp"

namespace hakmem::lab {
namespace {

// Enough that slices are no longer the larger part of a pair's noise; more pairs help more.
constexpr std::size_t kRounds = 80;
constexpr std::size_t kThreadedRounds = 16;
constexpr std::size_t kMostRounds = 400;
constexpr std::uint64_t kSmallSet = 10'000;  // slots that are filled in no time

class LockstepPairs : public PairSource {
 public:
  LockstepPairs(std::vector<Side> sides, Metric metric, const Workload& workload,
                std::uint64_t seed)
      : PairSource(std::move(sides), metric, seed), slice_ms_(usual_slice_ms(workload)) {
    check_workload(workload);
    plan_.workload = workload;
    plan_.rounds = workload.threaded() ? kThreadedRounds : kRounds;
    plan_.cpu = workload.threaded() ? -1 : pin_controller(-1);
    plan_.pace = calibrate(workload, sides_[0].allocator, slice_ms_, plan_.cpu);
  }

  PairSample next() override {
    const auto start = std::chrono::steady_clock::now();
    std::vector<Allocator> allocators = place();
    // Who is started first, and has the first turn, changes from pair to pair.
    const bool swapped = pair_ % 2 == 0;
    if (swapped) std::swap(allocators[0], allocators[1]);
    const std::uint64_t seed = random_() % 1'000'000 + 1;
    SetResult set = run_set(plan_, allocators, seed);
    if (swapped) {
      std::swap(set.turns[0], set.turns[1]);
      std::swap(set.reports[0], set.reports[1]);
    }
    if (pair_ == 1 && plan_.workload.working_set > kSmallSet)
      adapt(std::chrono::steady_clock::now() - start);
    if (metric_ == Metric::kRss || metric_ == Metric::kFaults)
      return {std::log(whole(set.reports[0]) / whole(set.reports[1])), 0, layout()};
    std::vector<double> a;
    std::vector<double> b;
    for (const Turn& turn : set.turns[0]) a.push_back(cost(turn));
    for (const Turn& turn : set.turns[1]) b.push_back(cost(turn));
    return summarise(a, b, layout());
  }

  double alone(std::size_t side, double seconds) override {
    const Allocator allocator = placed(sides_[side], 0, random_);
    Worker worker(launch_worker(plan_.workload, plan_.pace, allocator, 1, plan_.cpu));
    worker.take_turn(plan_.pace.warm_up);
    const double turns = std::max(1.0, seconds * 1000 / slice_ms_);
    const Turn turn =
        worker.take_turn(static_cast<std::uint64_t>(static_cast<double>(plan_.pace.turn) * turns));
    const Report report = worker.finish();
    const bool of_the_whole = metric_ == Metric::kRss || metric_ == Metric::kFaults;
    return of_the_whole ? whole(report) : cost(turn);
  }

  [[nodiscard]] std::string method() const override {
    return fmt::format("lockstep: pairs of processes, {} rounds of turns of {:g} ms on {}",
                       plan_.rounds, slice_ms_,
                       plan_.cpu < 0 ? "all CPUs" : fmt::format("CPU {}", plan_.cpu));
  }

 private:
  // CPU time is the time of a process that shares its CPU with the other one.
  [[nodiscard]] double cost(const Turn& turn) const {
    const bool wall = metric_ == Metric::kTime && plan_.workload.threaded();
    return std::max(1e-9, wall ? turn.wall() : turn.cpu());
  }

  [[nodiscard]] double whole(const Report& report) const {
    if (metric_ == Metric::kFaults) return static_cast<double>(report.usage.faults);
    return nlohmann::json::parse(report.text).at("peak_rss_kib").get<double>();
  }

  // Where the start takes long, as with a large working set, a pair should do more with it.
  void adapt(std::chrono::duration<double> elapsed) {
    const double round = 2 * slice_ms_ / 1000;
    const double start = elapsed.count() - static_cast<double>(plan_.rounds) * round;
    const auto wanted = static_cast<std::size_t>(std::max(0.0, start / round)) / 2 * 2;
    plan_.rounds = std::clamp(wanted, plan_.rounds, kMostRounds);
  }

  SetPlan plan_;
  double slice_ms_;
};

}  // namespace

std::unique_ptr<PairSource> lockstep_pairs(std::vector<Side> sides, Metric metric,
                                           const Workload& workload, std::uint64_t seed) {
  return std::make_unique<LockstepPairs>(std::move(sides), metric, workload, seed);
}

}  // namespace hakmem::lab
