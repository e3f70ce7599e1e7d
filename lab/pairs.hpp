// Where pairs come from: each call starts processes of A and B anew, in a placement of its own, and
// measures them against each other.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "lab/lockstep.hpp"
#include "lab/side.hpp"
#include "lab/statistics.hpp"

namespace hakmem::lab {

enum class Metric { kTime, kCpu, kRss, kFaults };

std::string name_of(Metric metric);
Metric parse_metric(const std::string& word);  // throws UsageError

class PairSource {
 public:
  PairSource(std::vector<Side> sides, Metric metric, std::uint64_t seed);
  virtual ~PairSource() = default;
  PairSource(const PairSource&) = delete;
  PairSource& operator=(const PairSource&) = delete;

  // Throws ProcessFailure.
  virtual PairSample next() = 0;
  // What one side, in its first layout, costs when it runs alone for about so many seconds: for the
  // naive method.
  virtual double alone(std::size_t side, double seconds) = 0;
  // How the measurement is done, in words.
  [[nodiscard]] virtual std::string method() const = 0;

  [[nodiscard]] const std::vector<Side>& sides() const { return sides_; }

 protected:
  // A and B for the next pair.
  std::vector<Allocator> place();
  // The layout of the pair that place() made last; 0 where it is not varied.
  [[nodiscard]] std::uint32_t layout() const;

  std::vector<Side> sides_;
  Metric metric_;
  std::mt19937_64 random_;
  std::size_t pair_ = 0;
};

// A built-in workload, in lockstep.
std::unique_ptr<PairSource> lockstep_pairs(std::vector<Side> sides, Metric metric,
                                           const Workload& workload, std::uint64_t seed);

// Whole runs of a command, in turn.
std::unique_ptr<PairSource> command_pairs(std::vector<Side> sides, Metric metric,
                                          const std::vector<std::string>& command,
                                          std::uint64_t seed);

}  // namespace hakmem::lab
