// hakmem asm: a function's instructions with their source, and the dependency chain of its likely
// path.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "chain.hpp"
#include "command.hpp"
#include "library.hpp"
#include "made_library.hpp"
#include "profile_data.hpp"

namespace hakmem::tools {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kAsmExamples = R"(Examples:
  hakmem asm malloc                                  the release build, made anew with debug
                                                     information the first time (build/annotated)
  hakmem asm free --load-latency 40                  as if all data came from the third-level cache
  hakmem profile --json > p.json && hakmem asm unified_cache_push --profile p.json
  hakmem asm mi_malloc --lib /usr/lib/x86_64-linux-gnu/libmimalloc.so.2

Load latencies: 4 and 10 cycles stand for data in the first and second level of the cache, 40 in the
third, 75 in a far part of it. Without the option the model's own is used.)";

struct AsmOptions {
  std::string function;
  std::optional<std::string> library;
  std::optional<std::string> profile;
  std::string processor;
  int load_latency = 0;
  bool json = false;
};

struct Analysis {
  std::string library;
  Function function;
  std::map<std::uint64_t, std::uint64_t> samples;  // by offset
  std::string no_samples;
  std::vector<Instruction> path;
  std::optional<Model> model;
  std::optional<Chain> chain;
  std::string no_chain;
};

// Lines of source files, read once each.
class Sources {
 public:
  std::string line(const std::string& file, unsigned number) {
    const auto [place, is_new] = files_.try_emplace(file);
    if (is_new) {
      std::ifstream stream(file);
      for (std::string text; std::getline(stream, text);) place->second.push_back(text);
    }
    if (number == 0 || number > place->second.size()) return "";
    const std::string& text = place->second[number - 1];
    const std::size_t begin = text.find_first_not_of(" \t");
    return begin == std::string::npos ? "" : text.substr(begin);
  }

 private:
  std::map<std::string, std::vector<std::string>> files_;
};

std::string choose_library(const AsmOptions& options, const std::optional<Profile>& profile) {
  if (options.library) {
    if (!is_loadable(*options.library)) {
      throw UsageError(
          fmt::format("--lib {}: not a shared library of this machine", *options.library));
    }
    return fs::absolute(*options.library);
  }
  // Samples belong to the build that they were taken from.
  if (profile && !profile->allocator.library.empty()) return profile->allocator.library;
  std::string why;
  std::string annotated = made_library(Made::annotated, why);
  if (!annotated.empty()) return annotated;
  std::string own = own_library();
  if (own.empty()) throw std::runtime_error("no library: " + why + "; use --lib PATH");
  fmt::print(stderr, "hakmem asm: no source lines ({})\n", why);
  return own;
}

void add_samples(Analysis& analysis, const Profile& profile) {
  if (id_of_file(analysis.library) != profile.library_id) {
    analysis.no_samples = "the profile is of another build";
    return;
  }
  for (const FunctionShare& function : profile.functions) {
    if (function.name != analysis.function.name || !function.of_allocator) continue;
    for (const auto& [offset, count] : function.offsets) analysis.samples[offset] += count;
  }
  if (analysis.samples.empty()) analysis.no_samples = "the profile has none of this function";
}

Analysis analyse(const AsmOptions& options) {
  std::optional<Profile> profile;
  if (options.profile) profile = read_profile(*options.profile);
  Analysis analysis;
  analysis.library = choose_library(options, profile);
  analysis.function = disassemble(analysis.library, options.function);
  if (profile) add_samples(analysis, *profile);
  analysis.path = straight_path(analysis.function);
  try {
#if !defined(__x86_64__)
    throw std::runtime_error("which registers an instruction reads is known for x86-64 alone");
#endif
    analysis.model = ask_llvm_mca(analysis.path, options.processor);
    analysis.chain = chain_of(analysis.path, *analysis.model, options.load_latency);
  } catch (const std::runtime_error& error) {
    analysis.no_chain = error.what();
  }
  return analysis;
}

void print_listing(const Analysis& analysis) {
  Sources sources;
  std::string last;
  const bool sampled = !analysis.samples.empty();
  if (!analysis.no_samples.empty()) fmt::print("no samples: {}\n", analysis.no_samples);
  fmt::print("{}{:<9} {:<58} source\n", sampled ? "samples  " : "", "address", "instruction");
  for (const Instruction& instruction : analysis.function.instructions) {
    if (sampled) {
      const auto count = analysis.samples.find(instruction.address - analysis.function.address);
      fmt::print("{:>7}  ", count == analysis.samples.end() ? "" : std::to_string(count->second));
    }
    std::string place;
    if (!instruction.file.empty()) {
      place =
          fmt::format("{}:{}", fs::path(instruction.file).filename().string(), instruction.line);
    }
    // A line's text once, where it begins.
    const std::string source =
        place == last
            ? ""
            : fmt::format("{:<22} {}", place, sources.line(instruction.file, instruction.line));
    last = place;
    std::string line = fmt::format("{:<9x} {:<58} {}", instruction.address,
                                   instruction.text.substr(0, 58), source);
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
}

void print_chain(const Analysis& analysis, const AsmOptions& options) {
  if (!analysis.chain) {
    fmt::print("\nno dependency chain: {}\n", analysis.no_chain);
    return;
  }
  const Model& model = *analysis.model;
  const Chain& chain = *analysis.chain;
  const double load_latency = options.load_latency > 0 ? options.load_latency : model.load_latency;
  fmt::print(
      "\nThe path on which no conditional jump is taken, simulated by llvm-mca's model of {}:\n"
      "{} instructions; one after the other {:.2f} cycles each time, {:.2f} instructions a cycle, "
      "nothing dispatched in {:.0f} % of cycles\n"
      "longest dependency chain: {:.0f} cycles, a load taking {:.0f}\n\n",
      model.processor, analysis.path.size(), model.cycles, model.ipc, 100 * model.stalled,
      chain.length, load_latency);
  fmt::print("{:>3}  {:>5} {:>6} {:>5}  {:<52} {}\n", "#", "start", "finish", "slack",
             "instruction", "waits for");
  for (std::size_t i = 0; i < analysis.path.size(); ++i) {
    const Link& link = chain.links[i];
    const bool movable = std::find(chain.movable_stores.begin(), chain.movable_stores.end(), i) !=
                         chain.movable_stores.end();
    std::string waits;
    for (const std::size_t before : link.waits_for) waits += fmt::format(" {}", before);
    std::string line = fmt::format(
        "{:>3}{} {:>5.0f} {:>6.0f} {:>5.0f}  {:<52}{}{}", i, link.critical ? '*' : ' ', link.start,
        link.finish, link.slack, analysis.path[i].text.substr(0, 52), waits,
        movable ? fmt::format("  movable store: {:.0f} cycles later at no cost", link.slack) : "");
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
  fmt::print("*: on the critical path\n");
  const auto print_distances = [](const char* what, const std::vector<Distance>& distances) {
    fmt::print("{}:", what);
    if (distances.empty()) fmt::print(" none");
    for (const Distance& distance : distances) {
      fmt::print(" {}->{} ({} instructions, {:.0f} cycles)", distance.from, distance.to,
                 distance.to - distance.from, distance.cycles);
    }
    fmt::print("\n");
  };
  fmt::print("\n");
  print_distances("load to first use", chain.load_use);
  print_distances("store to first load of the same place", chain.store_use);
  fmt::print("units used, cycles each time:");
  for (const auto& [unit, cycles] : model.pressure) {
    if (cycles >= 0.005) fmt::print(" {} {:.2f}", unit, cycles);
  }
  fmt::print("\n");
}

Json to_json(const Analysis& analysis) {
  Json instructions = Json::array();
  for (const Instruction& instruction : analysis.function.instructions) {
    const auto count = analysis.samples.find(instruction.address - analysis.function.address);
    instructions.push_back({{"address", instruction.address},
                            {"text", instruction.text},
                            {"file", instruction.file},
                            {"line", instruction.line},
                            {"samples", count == analysis.samples.end() ? 0 : count->second}});
  }
  Json document = {{"function", analysis.function.name},
                   {"library", analysis.library},
                   {"instructions", instructions}};
  if (!analysis.chain) {
    document["no_chain"] = analysis.no_chain;
    return document;
  }
  Json path = Json::array();
  for (std::size_t i = 0; i < analysis.path.size(); ++i) {
    const Link& link = analysis.chain->links[i];
    path.push_back({{"address", analysis.path[i].address},
                    {"text", analysis.path[i].text},
                    {"start", link.start},
                    {"finish", link.finish},
                    {"slack", link.slack},
                    {"critical", link.critical},
                    {"waits_for", link.waits_for}});
  }
  const auto distances = [](const std::vector<Distance>& all) {
    Json list = Json::array();
    for (const Distance& distance : all) {
      list.push_back({{"from", distance.from}, {"to", distance.to}, {"cycles", distance.cycles}});
    }
    return list;
  };
  Json pressure = Json::object();
  for (const auto& [unit, cycles] : analysis.model->pressure) pressure[unit] = cycles;
  document["chain"] = {{"simulated_by", "llvm-mca"},
                       {"processor", analysis.model->processor},
                       {"length", analysis.chain->length},
                       {"cycles", analysis.model->cycles},
                       {"ipc", analysis.model->ipc},
                       {"path", path},
                       {"load_use", distances(analysis.chain->load_use)},
                       {"store_use", distances(analysis.chain->store_use)},
                       {"movable_stores", analysis.chain->movable_stores},
                       {"pressure", pressure}};
  return document;
}

int show(const AsmOptions& options) {
  const Analysis analysis = analyse(options);
  if (options.json) {
    fmt::print("{}\n", to_json(analysis).dump(1));
    return 0;
  }
  fmt::print("{} in {}\n", analysis.function.name, analysis.library);
  print_listing(analysis);
  print_chain(analysis, options);
  return 0;
}

Action describe_asm(CLI::App& app) {
  auto options = std::make_shared<AsmOptions>();
  app.add_option("FUNCTION", options->function, "Its name, with or without namespace")->required();
  app.add_option("--lib", options->library, "The library that has it")->type_name("PATH");
  app.add_option("--profile", options->profile, "A profile (--json) whose samples are shown")
      ->type_name("FILE");
  app.add_option("--load-latency", options->load_latency, "Cycles that a load takes")
      ->check(CLI::IsMember({4, 10, 40, 75}));
  app.add_option("--cpu", options->processor,
                 "The processor that llvm-mca models (default: this one)")
      ->type_name("NAME");
  app.add_flag("--json", options->json, "Print a JSON document");
  app.footer(kAsmExamples);
  return [options](const Words&) { return show(*options); };
}

const Registration asm_command{"asm", "Show a function's instructions and what they wait for",
                               describe_asm};

}  // namespace
}  // namespace hakmem::tools
