// What a processor did while a program ran: counted by the hardware, or simulated by cachegrind.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "child.hpp"

namespace hakmem::tools {

// Events by perf's names ("cycles", "instructions", ...). Empty, with the reason in `why`, where
// the machine has no counters that we may read.
std::map<std::string, double> count_by_hardware(const std::vector<std::string>& words,
                                                const std::string& library, std::string& why);

struct SimulatedFunction {
  std::string name;
  std::uint64_t instructions = 0;
  std::uint64_t fetch_misses = 0;   // first-level instruction cache
  std::uint64_t data_misses = 0;    // first-level data cache
  std::uint64_t last_misses = 0;    // last level: from memory
  std::uint64_t branch_misses = 0;  // mispredicted branches and jumps

  // The usual estimate of cycles from such counts.
  [[nodiscard]] double cycles() const {
    return static_cast<double>(instructions + 10 * (fetch_misses + data_misses + branch_misses) +
                               100 * last_misses);
  }
};

struct Simulation {
  SimulatedFunction total;
  std::vector<SimulatedFunction> functions;  // most instructions first
};

// Runs the program under cachegrind. No value, with the reason in `why`, where that cannot be done.
std::optional<Simulation> simulate(const std::vector<std::string>& words,
                                   const std::string& library, std::string& why);

// The text of cachegrind's output file.
Simulation parse_cachegrind(const std::string& text);

}  // namespace hakmem::tools
