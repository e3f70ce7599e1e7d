#include "profile_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace hakmem::tools {
namespace {

using Json = nlohmann::ordered_json;

std::string percent(const Share& share) {
  return fmt::format("{:.1f} % ({:.1f} to {:.1f})", 100 * share.value, 100 * share.low,
                     100 * share.high);
}

std::string shortened(const std::string& text, std::size_t length) {
  return text.size() <= length ? text : text.substr(0, length - 2) + "..";
}

void print_functions(const ProfileReport& report, std::size_t rows) {
  const Profile& profile = report.profile;
  const bool compared = report.earlier.has_value();
  fmt::print("\n{:<40} {:>7} {:>14} {:>8} {:>8}  {}{}\n", "function", "self %", "95 % interval",
             "stack %", "samples", compared ? fmt::format("{:<22}  ", "change, points") : "",
             "status");
  std::size_t printed = 0;
  for (const FunctionShare& function : profile.functions) {
    if (printed == rows || function.self == 0) break;
    const Share self = share_of(function.self, profile.samples);
    const Share stack = share_of(function.with_callees, profile.samples);
    std::string change;
    if (compared) {
      const Share moved = change_of(function, profile, *report.earlier);
      change = fmt::format("{:+.1f} ({:+.1f} to {:+.1f})", 100 * moved.value, 100 * moved.low,
                           100 * moved.high);
      change = fmt::format("{:<22}  ", change);
    }
    std::string line = fmt::format(
        "{:<40} {:>7.1f} {:>14} {:>8} {:>8}  {}{}",
        shortened((function.of_allocator ? "* " : "  ") + function.name, 40), 100 * self.value,
        fmt::format("{:.1f} to {:.1f}", 100 * self.low, 100 * self.high),
        profile.has_callers ? fmt::format("{:.1f}", 100 * stack.value) : "n/a", function.self,
        change, function.status);
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
    ++printed;
  }
  fmt::print("*: in the allocator. Intervals are of sampling alone, not of the run.\n");
}

void print_shares(const Profile& profile) {
  fmt::print("\nthe allocator in all: {}{}\n",
             percent(share_of(profile.in_allocator, profile.samples)),
             profile.has_callers ? ", what it calls included" : "");
  if (profile.has_callers) {
    fmt::print(
        "the allocation path (malloc and its like): {}\n"
        "the freeing path: {}\n",
        percent(share_of(profile.allocating, profile.samples)),
        percent(share_of(profile.freeing, profile.samples)));
  } else {
    fmt::print("the allocation path: n/a, stacks cannot be walked here\n");
  }
  if (profile.slowdown) {
    fmt::print(
        "the outlined build takes {:.2f} times the release build's CPU time ({:.2f} to {:.2f}, "
        "{} pairs of runs)\n",
        profile.slowdown->median, profile.slowdown->low, profile.slowdown->high,
        profile.slowdown->pairs);
  }
  for (const std::string& note : profile.notes) fmt::print("note: {}\n", note);
}

void print_hardware(const ProfileReport& report) {
  if (report.hardware.empty()) {
    fmt::print("\nhardware counters: none ({})\n", report.no_hardware);
    return;
  }
  fmt::print("\nhardware counters, the whole program\n");
  for (const auto& [event, count] : report.hardware)
    fmt::print("  {:<28} {:>16.0f}\n", event, count);
  const auto cycles = report.hardware.find("cycles");
  const auto instructions = report.hardware.find("instructions");
  if (cycles != report.hardware.end() && instructions != report.hardware.end()) {
    fmt::print("  {:<28} {:>16.2f}\n", "IPC", instructions->second / cycles->second);
  }
}

void print_simulated(const SimulatedFunction& function, double all) {
  const double thousands = std::max(1.0, static_cast<double>(function.instructions) / 1000);
  fmt::print("{:<40} {:>8.1f} {:>13} {:>6.2f} {:>8.2f} {:>8.2f} {:>8.2f} {:>8.2f}\n",
             shortened(function.name, 40), 100 * static_cast<double>(function.instructions) / all,
             function.instructions, static_cast<double>(function.instructions) / function.cycles(),
             static_cast<double>(function.fetch_misses) / thousands,
             static_cast<double>(function.data_misses) / thousands,
             static_cast<double>(function.last_misses) / thousands,
             static_cast<double>(function.branch_misses) / thousands);
}

void print_simulation(const ProfileReport& report, std::size_t rows) {
  if (!report.simulation) {
    fmt::print("simulated: not ({})\n", report.no_simulation);
    return;
  }
  const Simulation& simulation = *report.simulation;
  const double all = std::max(1.0, static_cast<double>(simulation.total.instructions));
  fmt::print(
      "\nSIMULATED by cachegrind (a shorter run; misses for 1,000 instructions; IPC from "
      "instructions + 10 for a miss of the\nfirst level or of a branch + 100 for one of the "
      "last level)\n");
  fmt::print("{:<40} {:>8} {:>13} {:>6} {:>8} {:>8} {:>8} {:>8}\n", "function", "instr. %",
             "instructions", "IPC", "I1 miss", "D1 miss", "LL miss", "branch");
  print_simulated(
      {"all", simulation.total.instructions, simulation.total.fetch_misses,
       simulation.total.data_misses, simulation.total.last_misses, simulation.total.branch_misses},
      all);
  for (std::size_t i = 0; i < std::min(rows, simulation.functions.size()); ++i) {
    const SimulatedFunction& function = simulation.functions[i];
    if (static_cast<double>(function.instructions) < 0.005 * all) break;
    print_simulated(function, all);
  }
}

void print_models(const ProfileReport& report) {
  if (report.models.empty()) {
    fmt::print("llvm-mca: not ({})\n", report.no_models);
    return;
  }
  fmt::print(
      "\nSIMULATED by llvm-mca (model of {}; the path on which no branch is taken, all data in "
      "the first-level cache;\nstalled: cycles in which nothing was dispatched for lack of "
      "room; it has no front end, see I1 misses above)\n",
      report.processor);
  fmt::print("{:<40} {:>13} {:>7} {:>6} {:>9}\n", "function", "instructions", "cycles", "IPC",
             "stalled %");
  for (const ModelledFunction& model : report.models) {
    fmt::print("{:<40} {:>13} {:>7.1f} {:>6.2f} {:>9.1f}\n", shortened(model.name, 40),
               model.instructions, model.cycles, model.ipc, 100 * model.stalled);
  }
}

}  // namespace

Share change_of(const FunctionShare& now, const Profile& profile, const Profile& earlier) {
  const auto before = std::find_if(
      earlier.functions.begin(), earlier.functions.end(), [&](const FunctionShare& function) {
        return function.name == now.name && function.object == now.object;
      });
  const Share a = share_of(before == earlier.functions.end() ? 0 : before->self, earlier.samples);
  const Share b = share_of(now.self, profile.samples);
  // Newcombe's interval of a difference, from the two of Wilson.
  const double change = b.value - a.value;
  return {change, change - std::hypot(b.value - b.low, a.high - a.value),
          change + std::hypot(b.high - b.value, a.value - a.low)};
}

void print_profile(const ProfileReport& report, std::size_t rows) {
  const Profile& profile = report.profile;
  fmt::print("{}\nunder {} {}{}\n", profile.command, profile.allocator.name, profile.version,
             profile.allocator.library.empty() ? "" : " (" + profile.allocator.library + ")");
  fmt::print("{} samples by {}, {} a second of CPU time\n", profile.samples, profile.method,
             profile.rate);
  if (report.earlier) {
    fmt::print("compared with {} samples of {} under {} {}\n", report.earlier->samples,
               report.earlier->command, report.earlier->allocator.name, report.earlier->version);
  }
  print_functions(report, rows);
  print_shares(profile);
  print_hardware(report);
  if (!report.hardware.empty()) return;
  print_simulation(report, rows);
  print_models(report);
}

Json to_json(const ProfileReport& report) {
  Json document = to_json(report.profile);
  document["hardware"] = report.hardware.empty() ? Json(nullptr) : Json(report.hardware);
  if (report.hardware.empty()) document["no_hardware"] = report.no_hardware;
  if (report.simulation) {
    const auto counts = [](const SimulatedFunction& function) {
      return Json{{"function", function.name},
                  {"instructions", function.instructions},
                  {"cycles", function.cycles()},
                  {"I1_misses", function.fetch_misses},
                  {"D1_misses", function.data_misses},
                  {"LL_misses", function.last_misses},
                  {"branch_misses", function.branch_misses}};
    };
    Json functions = Json::array();
    for (const SimulatedFunction& function : report.simulation->functions) {
      functions.push_back(counts(function));
    }
    document["simulated"]["by"] = "cachegrind";
    document["simulated"]["total"] = counts(report.simulation->total);
    document["simulated"]["total"]["function"] = "all";
    document["simulated"]["functions"] = functions;
  } else {
    document["no_simulation"] = report.no_simulation;
  }
  Json models = Json::array();
  for (const ModelledFunction& model : report.models) {
    models.push_back({{"function", model.name},
                      {"instructions", model.instructions},
                      {"cycles", model.cycles},
                      {"ipc", model.ipc},
                      {"stalled", model.stalled}});
  }
  document["modelled"] = {
      {"by", "llvm-mca"}, {"processor", report.processor}, {"functions", models}};
  if (report.earlier) {
    Json changes = Json::array();
    for (const FunctionShare& function : report.profile.functions) {
      if (function.self == 0) continue;
      const Share change = change_of(function, report.profile, *report.earlier);
      changes.push_back({{"function", function.name},
                         {"object", function.object},
                         {"change", change.value},
                         {"low", change.low},
                         {"high", change.high}});
    }
    document["against"] = {{"command", report.earlier->command},
                           {"samples", report.earlier->samples},
                           {"changes", changes}};
  }
  return document;
}

}  // namespace hakmem::tools
