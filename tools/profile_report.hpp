// What `hakmem profile` prints.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "events.hpp"
#include "precedents.hpp"
#include "profile_data.hpp"

namespace hakmem::tools {

// Of one function's straight path, by llvm-mca's model.
struct ModelledFunction {
  std::string name;
  std::size_t instructions = 0;
  double cycles = 0, ipc = 0, stalled = 0;
};

struct ProfileReport {
  Profile profile;
  std::map<std::string, double> hardware;
  std::string no_hardware;  // why there is none
  std::optional<Simulation> simulation;
  std::string no_simulation;
  std::vector<ModelledFunction> models;
  std::string processor;  // that llvm-mca models
  std::string no_models;
  std::optional<Profile> earlier;
};

void print_profile(const ProfileReport& report, std::size_t rows);
nlohmann::ordered_json to_json(const ProfileReport& report);

// The change of a share since the earlier profile, with its interval; in shares, not per cent.
Share change_of(const FunctionShare& now, const Profile& profile, const Profile& earlier);

// The next-target analysis, as Markdown.
std::string plan_of(const ProfileReport& report, const Ledger& ledger);

}  // namespace hakmem::tools
