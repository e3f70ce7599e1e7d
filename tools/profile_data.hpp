// A profile: how often each function was seen, and what follows from that.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lab/allocator.hpp"
#include "samples.hpp"

namespace hakmem::tools {

// A share of all samples with its 95 % interval (Wilson's).
struct Share {
  double value = 0, low = 0, high = 0;
};
Share share_of(std::uint64_t count, std::uint64_t total);

struct FunctionShare {
  std::string name;
  std::string object;  // the file's name, without folders
  std::uint64_t self = 0;
  std::uint64_t with_callees = 0;  // samples that have it anywhere on the stack
  bool of_allocator = false;
  std::string status;                              // what the ledger says
  std::map<std::uint64_t, std::uint64_t> offsets;  // samples by offset in the function
};

struct Slowdown {
  double median = 0, low = 0, high = 0;  // over pairs of runs
  int pairs = 0;
};

struct Profile {
  lab::Allocator allocator;
  std::string version;     // "" where the library does not tell
  std::string library_id;  // tells one build from another
  std::string command;
  std::string method;
  int rate = 0;
  std::uint64_t samples = 0;
  bool has_callers = false;
  // Samples with the allocator anywhere on the stack (without stacks: in it), and those among them
  // that came through an allocating or a freeing entry.
  std::uint64_t in_allocator = 0;
  std::uint64_t allocating = 0;
  std::uint64_t freeing = 0;
  std::vector<FunctionShare> functions;  // largest first
  std::optional<Slowdown> slowdown;
  std::vector<std::string> notes;
};

Profile make_profile(const Sampling& sampling, const lab::Allocator& allocator);

// A number for the file's contents.
std::string id_of_file(const std::string& path);

nlohmann::ordered_json to_json(const Profile& profile);
// Throws UsageError for what is no profile.
Profile read_profile(const std::string& file);

}  // namespace hakmem::tools
