// hakmem profile: where a program spends its time, with the boundaries of the boxes as functions.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "chain.hpp"
#include "command.hpp"
#include "lab/companion.hpp"
#include "library.hpp"
#include "made_library.hpp"
#include "profile_report.hpp"
#include "workloads.hpp"

namespace hakmem::tools {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProfileExamples = R"(Examples:
  hakmem profile                                   Mixed under HAKMEM
  hakmem profile --workload larson --threads 4
  hakmem profile -- python3 script.py
  hakmem profile --lib mimalloc --json > before.json
  hakmem profile --against before.json --plan plan.md

For HAKMEM the program runs under the outlined lab flavour, in which the boundaries of the boxes are
functions (built into build/profile the first time). Other libraries are shown by their own symbols.
CMD runs several times, and what it prints is thrown away: once sampled, and with --pairs 3 (the
default) six times to compare the outlined build with release. --simulate runs it under cachegrind,
too, some fifty times slower; built-in workloads are simulated by themselves, in a shorter run.)";

struct ProfileOptions {
  std::string library = "hakmem";
  std::string workload = "mixed";
  unsigned threads = 0;
  double seconds = 3;
  int rate = 1997;
  std::string method = "auto";
  int pairs = 3;
  std::size_t rows = 20;
  bool simulate = false;
  bool no_simulation = false;
  bool json = false;
  std::optional<std::string> against;
  std::optional<std::string> plan;
  std::optional<std::string> ledger;
};

struct Subjects {
  lab::Allocator sampled;
  std::string release;  // to compare with; empty for other people's libraries
  std::string note;
};

Subjects choose_subjects(const std::string& word) {
  Subjects subjects{lab::parse_allocator(word), "", ""};
  if (subjects.sampled.name != "hakmem" || word.find('=') != std::string::npos) return subjects;
  std::string why;
  const std::string outlined = made_library(Made::outlined, why);
  if (outlined.empty()) {
    subjects.note = fmt::format("no outlined build, boundaries are inlined: {}", why);
    return subjects;
  }
  subjects.release = subjects.sampled.library;
  subjects.sampled.library = outlined;
  return subjects;
}

// CPU time of the one build by the other's, in runs that take turns.
std::optional<Slowdown> measure_slowdown(const Words& program, const Subjects& subjects,
                                         int pairs) {
  if (subjects.release.empty() || pairs < 1) return std::nullopt;
  const auto seconds = [&](const std::string& library) {
    return run_child(program, preloading(library), Output::discarded).cpu_seconds;
  };
  std::vector<double> ratios;
  for (int pair = 0; pair < pairs; ++pair) {
    const bool first = pair % 2 == 0;
    const double a = seconds(first ? subjects.sampled.library : subjects.release);
    const double b = seconds(first ? subjects.release : subjects.sampled.library);
    if (a > 0 && b > 0) ratios.push_back(first ? a / b : b / a);
  }
  if (ratios.empty()) return std::nullopt;
  std::sort(ratios.begin(), ratios.end());
  return Slowdown{ratios[ratios.size() / 2], ratios.front(), ratios.back(),
                  static_cast<int>(ratios.size())};
}

void add_models(ProfileReport& report) {
  constexpr std::size_t kMost = 6;
  for (const FunctionShare& function : report.profile.functions) {
    if (!function.of_allocator || function.self == 0 || report.models.size() == kMost) continue;
    try {
      const Function code = disassemble(report.profile.allocator.library, function.name);
      const std::vector<Instruction> path = straight_path(code);
      const Model model = ask_llvm_mca(path, "");
      report.processor = model.processor;
      report.models.push_back({function.name, path.size(), model.cycles, model.ipc, model.stalled});
    } catch (const std::exception& error) {
      if (report.no_models.empty()) report.no_models = error.what();
    }
  }
  if (report.models.empty() && report.no_models.empty()) {
    report.no_models = "no function of the allocator was seen";
  }
}

Ledger ledger_of(const ProfileOptions& options) {
  if (options.ledger) return lab::read_ledger(*options.ledger);
  try {
    return lab::read_ledger(lab::ledger_folder());
  } catch (const lab::UsageError&) {
    return {};  // it need not be there
  }
}

Words program_to_run(const ProfileOptions& options, const Words& given, double seconds) {
  if (!given.empty()) return given;
  const lab::Workload workload = workload_named(options.workload, options.threads);
  return command_of(workload, operations_in(workload, seconds));
}

void write_plan(const std::string& file, const ProfileReport& report, const Ledger& ledger) {
  std::ofstream stream(file);
  stream << plan_of(report, ledger);
  stream.close();
  if (!stream) throw std::runtime_error(fmt::format("cannot write {}", file));
}

int profile(const ProfileOptions& options, const Words& given) {
  const bool built_in = given.empty();
  // The command line is checked before anything is built or run.
  const Ledger ledger = ledger_of(options);
  std::optional<Profile> earlier;
  if (options.against) earlier = read_profile(*options.against);
  const Words program = program_to_run(options, given, options.seconds);
  if (!built_in && given[0].find('/') == std::string::npos && !has_program(given[0])) {
    throw UsageError(fmt::format("{}: command not found", given[0]));
  }
  const Subjects subjects = choose_subjects(options.library);

  const Method method = options.method == "perf"    ? Method::perf
                        : options.method == "timer" ? Method::timer
                                                    : Method::automatic;
  const Sampling sampling =
      sample(program, subjects.sampled.library, options.rate, method, Output::discarded);
  ProfileReport report;
  report.profile = make_profile(sampling, subjects.sampled);
  Profile& made = report.profile;
  made.rate = options.rate;
  made.version = lab::version_of(subjects.sampled);
  made.command = built_in ? lab::describe(workload_named(options.workload, options.threads))
                          : fmt::format("{}", fmt::join(given, " "));
  if (!subjects.note.empty()) made.notes.push_back(subjects.note);
  if (sampling.exit_code != 0) {
    made.notes.push_back(fmt::format("the program ended with code {}", sampling.exit_code));
  }
  if (made.samples == 0)
    throw std::runtime_error("no samples: the program used too little CPU time");
  const double short_time = std::min(0.5, options.seconds);
  made.slowdown =
      measure_slowdown(program_to_run(options, given, short_time), subjects, options.pairs);
  for (FunctionShare& function : made.functions) {
    if (function.of_allocator) function.status = status_of(ledger, function.name);
  }

  const Words simulated = program_to_run(options, given, 0.01);
  report.hardware = count_by_hardware(simulated, made.allocator.library, report.no_hardware);
  if (report.hardware.empty()) {
    const bool wanted = !options.no_simulation && (built_in || options.simulate);
    report.no_simulation = built_in ? "--no-simulation" : "--simulate does";
    if (wanted)
      report.simulation = simulate(simulated, made.allocator.library, report.no_simulation);
    add_models(report);
  }
  report.earlier = std::move(earlier);
  if (options.plan) write_plan(*options.plan, report, ledger);
  if (options.json) {
    fmt::print("{}\n", to_json(report).dump(1));
  } else {
    print_profile(report, options.rows);
  }
  return 0;
}

Action describe_profile(CLI::App& app) {
  auto options = std::make_shared<ProfileOptions>();
  app.add_option("--lib", options->library,
                 "name=path.so, hakmem (default), glibc or an installed peer")
      ->type_name("ALLOCATOR");
  app.add_option("--workload", options->workload, "A built-in one: " + workload_names())
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--threads", options->threads, "Of a built-in workload")
      ->check(CLI::Range(1, 4096));
  app.add_option("--seconds", options->seconds, "About how long a built-in workload runs")
      ->check(CLI::Range(0.05, 3600.0))
      ->capture_default_str();
  app.add_option("--rate", options->rate, "Samples a second of CPU time")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--method", options->method, "auto, perf or timer (our own)")
      ->check(CLI::IsMember({"auto", "perf", "timer"}))
      ->capture_default_str();
  app.add_option("--pairs", options->pairs,
                 "Pairs of runs to compare the outlined build with release")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  app.add_option("--top", options->rows, "Rows of the table")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  auto* simulate = app.add_flag("--simulate", options->simulate, "Run CMD under cachegrind, too");
  app.add_flag("--no-simulation", options->no_simulation, "No cachegrind")->excludes(simulate);
  app.add_option("--against", options->against, "An earlier profile, as --json printed it")
      ->type_name("FILE");
  app.add_option("--plan", options->plan, "Write the next-target analysis, as Markdown")
      ->type_name("FILE");
  app.add_option("--ledger-dir", options->ledger,
                 "The folder of experiments (default docs/experiments)")
      ->check(CLI::ExistingDirectory)
      ->type_name("FOLDER");
  app.add_flag("--json", options->json, "Print a JSON document");
  app.prefix_command();
  app.footer(kProfileExamples);
  return [options](const Words& program) { return profile(*options, program); };
}

const Registration profile_command{"profile", "Show where a program spends its time",
                                   describe_profile};

}  // namespace
}  // namespace hakmem::tools
