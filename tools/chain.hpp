// The dependency chain of a stretch of straight code: what must wait for what.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "machine_code.hpp"

namespace hakmem::tools {

// What llvm-mca's model of a processor says of the stretch.
struct Model {
  struct Cost {
    int latency = 0;
    int uops = 0;
    bool loads = false;
  };
  std::string processor;
  std::vector<Cost> costs;  // by instruction
  int load_latency = 0;     // of a plain load
  double cycles = 0;        // for one time through, when many follow each other
  double ipc = 0;
  double stalled = 0;  // share of cycles in which nothing could be dispatched for lack of room
  std::vector<std::pair<std::string, double>> pressure;  // cycles that each unit is used
};

// Throws std::runtime_error that says what is missing.
Model ask_llvm_mca(const std::vector<Instruction>& path, const std::string& processor);

struct Link {
  std::vector<std::size_t> waits_for;
  double start = 0, finish = 0;  // in cycles, as if only dependencies counted
  double slack = 0;              // how much later it could finish at no cost
  bool critical = false;
};

struct Distance {
  std::size_t from, to;  // instructions
  double cycles;         // from the start of the one to the start of the other
};

struct Chain {
  std::vector<Link> links;
  double length = 0;
  std::vector<Distance> load_use;
  std::vector<Distance> store_use;
  std::vector<std::size_t> movable_stores;
};

// `load_latency` 0: the model's own.
Chain chain_of(const std::vector<Instruction>& path, const Model& model, double load_latency);

}  // namespace hakmem::tools
