#include "events.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "samples.hpp"

namespace hakmem::tools {
namespace {

constexpr const char* kEvents =
    "cycles,instructions,cache-misses,branch-misses,stalled-cycles-frontend";

// perf's lines with -x, are "VALUE,UNIT,EVENT,...", with a remark in place of a value.
std::map<std::string, double> parse_perf_stat(const std::string& text) {
  std::map<std::string, double> events;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string value, unit, event;
    if (!std::getline(fields, value, ',') || !std::getline(fields, unit, ',') ||
        !std::getline(fields, event, ',')) {
      continue;
    }
    char* end = nullptr;
    const double number = std::strtod(value.c_str(), &end);
    if (end != value.c_str() && *end == '\0') events[event.substr(0, event.find(':'))] = number;
  }
  return events;
}

}  // namespace

std::map<std::string, double> count_by_hardware(const std::vector<std::string>& words,
                                                const std::string& library, std::string& why) {
  if (!has_program("perf")) {
    why = "perf is not installed (package linux-perf)";
    return {};
  }
  const auto count = [&](const std::vector<std::string>& program) {
    std::vector<std::string> command = {"perf", "stat", "-x,", "-e", kEvents, "--"};
    command.insert(command.end(), program.begin(), program.end());
    return parse_perf_stat(run_child(command).err);
  };
  if (!count({"true"}).contains("cycles")) {
    why = "this machine has none that perf can read";
    return {};
  }
  std::vector<std::string> program = {"env",
                                      library.empty() ? "-uLD_PRELOAD" : "LD_PRELOAD=" + library};
  program.insert(program.end(), words.begin(), words.end());
  return count(program);
}

Simulation parse_cachegrind(const std::string& text) {
  std::vector<std::string> names;
  std::map<std::string, SimulatedFunction> functions;
  SimulatedFunction* current = nullptr;
  Simulation simulation;
  const auto add = [&](SimulatedFunction& to, const std::vector<std::uint64_t>& counts) {
    for (std::size_t i = 0; i < std::min(names.size(), counts.size()); ++i) {
      const std::string& name = names[i];
      if (name == "Ir") to.instructions += counts[i];
      if (name == "I1mr") to.fetch_misses += counts[i];
      if (name == "D1mr" || name == "D1mw") to.data_misses += counts[i];
      if (name == "ILmr" || name == "DLmr" || name == "DLmw") to.last_misses += counts[i];
      if (name == "Bcm" || name == "Bim") to.branch_misses += counts[i];
    }
  };
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("events:", 0) == 0) {
      std::istringstream words(line.substr(7));
      names.assign(std::istream_iterator<std::string>(words), {});
    } else if (line.rfind("fn=", 0) == 0) {
      const std::string name = without_parameters(line.substr(3));
      current = &functions[name];  // in parts, one for each source file of what is inlined
      current->name = name;
    } else if (!line.empty() && line[0] >= '0' && line[0] <= '9' && current != nullptr) {
      std::istringstream words(line);
      std::uint64_t number = 0;
      words >> number;  // the line in the source
      add(*current, {std::istream_iterator<std::uint64_t>(words), {}});
    } else if (line.rfind("summary:", 0) == 0) {
      std::istringstream words(line.substr(8));
      add(simulation.total, {std::istream_iterator<std::uint64_t>(words), {}});
    }
  }
  for (auto& [key, function] : functions) simulation.functions.push_back(std::move(function));
  std::stable_sort(simulation.functions.begin(), simulation.functions.end(),
                   [](const SimulatedFunction& a, const SimulatedFunction& b) {
                     return a.instructions > b.instructions;
                   });
  return simulation;
}

std::optional<Simulation> simulate(const std::vector<std::string>& words,
                                   const std::string& library, std::string& why) {
  if (!has_program("valgrind")) {
    why = "valgrind is missing (package valgrind)";
    return std::nullopt;
  }
  const TemporaryFolder folder;
  const std::string file = folder.path() / "cachegrind.out";
  std::vector<std::string> command = {"valgrind", "--tool=cachegrind", "--cache-sim=yes",
                                      "--branch-sim=yes", "--cachegrind-out-file=" + file};
  command.insert(command.end(), words.begin(), words.end());
  // Valgrind's own process is not under the allocator: only what it simulates loads the library.
  const Finished run = run_child(command, preloading(library));
  std::ifstream stream(file);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!run.ok() || text.empty()) {
    why = "the program failed under valgrind";
    return std::nullopt;
  }
  return parse_cachegrind(text);
}

}  // namespace hakmem::tools
