#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <sstream>
#include <utility>

#include "lab/companion.hpp"
#include "lab/error.hpp"
#include "lab/pairs.hpp"
#include "lab/process.hpp"

namespace hakmem::lab {
namespace {

constexpr double kPatienceForCommands = 3600;

struct Run {
  int code = 0;
  int signal = 0;
  double user = 0;  // microseconds
  double system = 0;
  double peak = 0;
  double faults = 0;
  double wall = 0;
};

class CommandPairs : public PairSource {
 public:
  CommandPairs(std::vector<Side> sides, Metric metric, std::vector<std::string> command,
               std::uint64_t seed)
      : PairSource(std::move(sides), metric, seed), command_(std::move(command)) {
    // Files are read into memory, and a command that does not work is found out.
    const std::vector<Allocator> allocators = place();
    for (const Allocator& allocator : allocators) run(allocator);
    pair_ = 0;
  }

  PairSample next() override {
    const std::vector<Allocator> allocators = place();
    double cost[2];
    const std::size_t first = pair_ % 2;
    for (const std::size_t side : {first, 1 - first}) cost[side] = run(allocators[side]);
    return {std::log(cost[0] / cost[1]), 0, layout()};
  }

  double alone(std::size_t side, double) override { return run(placed(sides_[side], 0, random_)); }

  [[nodiscard]] std::string method() const override {
    return fmt::format("whole runs in turn of: {}", fmt::join(command_, " "));
  }

 private:
  double run(const Allocator& allocator) {
    Launch launch;
    launch.command = {companion("measure_run"), allocator.library, "/dev/null", "/dev/null"};
    launch.command.insert(launch.command.end(), command_.begin(), command_.end());
    launch.environment = allocator.environment;
    Process process(launch);
    process.close_input();
    std::istringstream line(process.read_all(kPatienceForCommands));
    process.wait();
    Run run;
    line >> run.code >> run.signal >> run.user >> run.system >> run.peak >> run.faults >> run.wall;
    const auto fail = [&](const std::string& why) {
      throw ProcessFailure(fmt::format("{} under {}: {} ({})", command_.front(), allocator.name,
                                       why, process.complaint()));
    };
    if (!line) fail("could not be measured");
    if (process.errors().find("cannot be preloaded") != std::string::npos) fail("not preloaded");
    if (run.signal != 0) fail(describe_status(run.signal));
    if (run.code == 127) fail("not found");
    if (run.code != 0) fail(fmt::format("ended with code {}", run.code));
    switch (metric_) {
      case Metric::kTime:
        return std::max(1.0, run.wall);
      case Metric::kCpu:
        return std::max(1.0, run.user + run.system);
      case Metric::kRss:
        return std::max(1.0, run.peak);
      case Metric::kFaults:
        break;
    }
    return std::max(1.0, run.faults);
  }

  std::vector<std::string> command_;
};

}  // namespace

std::unique_ptr<PairSource> command_pairs(std::vector<Side> sides, Metric metric,
                                          const std::vector<std::string>& command,
                                          std::uint64_t seed) {
  return std::make_unique<CommandPairs>(std::move(sides), metric, command, seed);
}

}  // namespace hakmem::lab
