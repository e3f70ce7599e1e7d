// One comparison with all that is known of it, as text and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lab/compare.hpp"

namespace hakmem::lab {

struct Experiment {
  std::vector<std::string> words;  // of the command line, without the program
  std::vector<Side> sides;
  std::string workload;  // in words
  Metric metric = Metric::kTime;
  std::string method;
  bool naive = false;
  double threshold = 0.005;
  double budget_seconds = 0;
  std::uint64_t seed = 0;
  Outcome outcome;
  std::optional<std::pair<double, double>> instructions;  // of A and B
};

nlohmann::ordered_json to_json(const Experiment& experiment);

// From its JSON alone, so that an entry of the ledger reads like the run that made it.
std::string to_text(const nlohmann::ordered_json& experiment);

// "+1.25 %"; log(1.0125) is 0.0124.
std::string percent(double gain);

}  // namespace hakmem::lab
