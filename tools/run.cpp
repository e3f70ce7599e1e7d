// hakmem run: starts a program under the library. The command becomes the program (exec), so the
// exit code, a deadly signal, the process id and the terminal are the program's own.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "command.hpp"
#include "library.hpp"

namespace hakmem::tools {
namespace {

constexpr const char* kRunExamples = R"(Examples:
  hakmem run -- python3 script.py
  hakmem run --profile lean --stats -- sqlite3 data.db 'select 1'
  hakmem run --set HAKMEM_STATS=1 --lib ./libhakmem.so -- ls

Exit code: that of CMD; 127 when CMD is not found, 126 when it cannot be executed,
125 when there is no library to run it under, 2 for a wrong command line.
The library is --lib, else $LIBHAKMEM, else the one this command was built with.
Set-user-id and statically linked programs do not load it; a program that ends by a
signal or by _exit, as dash (sh) does, prints no statistics.)";

struct RunOptions {
  std::optional<std::string> profile;
  std::optional<std::string> library;
  std::vector<std::string> settings;
  bool stats = false;
  bool json = false;
};

void set_variable(const std::string& name, const std::string& value) {
  if (setenv(name.c_str(), value.c_str(), 1) != 0) {
    throw std::runtime_error(fmt::format("cannot set {}: {}", name, std::strerror(errno)));
  }
}

void apply_setting(const std::string& setting) {
  const std::size_t equals = setting.find('=');
  if (equals == std::string::npos || setting.rfind("HAKMEM_", 0) != 0) {
    throw UsageError(fmt::format("--set {}: not of the form HAKMEM_NAME=VALUE", setting));
  }
  set_variable(setting.substr(0, equals), setting.substr(equals + 1));
}

std::filesystem::path find_library(const RunOptions& options) {
  const char* from_environment = std::getenv("LIBHAKMEM");
  const bool in_environment = from_environment != nullptr && *from_environment != '\0';
  if (!options.library && !in_environment) {
    std::filesystem::path own = own_library();
    if (own.empty()) {
      throw std::runtime_error("no libhakmem.so where it was built or installed; use --lib PATH");
    }
    return own;
  }
  const std::string given = options.library ? *options.library : from_environment;
  if (!is_loadable(given)) {
    throw UsageError(fmt::format("{}{}: not a shared library that can be loaded here",
                                 options.library ? "--lib " : "LIBHAKMEM=", given));
  }
  // The program may start others from another folder.
  return std::filesystem::absolute(given);
}

// First in the list, before what others preload.
void preload(const std::string& library) {
  if (library.find_first_of(" :") != std::string::npos) {
    throw std::runtime_error(
        fmt::format("{}: the loader cannot preload a path with a space or a colon", library));
  }
  const char* others = std::getenv("LD_PRELOAD");
  const bool alone = others == nullptr || *others == '\0';
  set_variable("LD_PRELOAD", alone ? library : library + ":" + others);
}

// Returns only when the program could not be started, with the code a shell gives.
int execute(const Words& program) {
  std::vector<char*> arguments;
  for (const std::string& word : program) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  const int error = errno;
  const bool in_path = program[0].find('/') == std::string::npos;
  fmt::print(stderr, "hakmem run: {}: {}\n", program[0],
             error == ENOENT && in_path ? "command not found" : std::strerror(error));
  return error == ENOENT ? 127 : 126;
}

int run(const RunOptions& options, const Words& program) {
  if (program.empty()) throw UsageError("no command to run: hakmem run -- CMD [ARG...]");
  if (options.profile) set_variable("HAKMEM_PROFILE", *options.profile);
  if (options.json && !options.stats) throw UsageError("--json needs --stats");
  if (options.stats) set_variable("HAKMEM_STATS", options.json ? "2" : "1");
  for (const std::string& setting : options.settings) apply_setting(setting);
  preload(find_library(options).string());
  return execute(program);
}

Action describe_run(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  app.add_option("--profile", options->profile, "Tune for speed, balanced (default) or lean")
      ->check(CLI::IsMember({"speed", "balanced", "lean"}))
      ->type_name("NAME");
  app.add_option("--lib", options->library, "The library to run under")->type_name("PATH");
  app.add_flag("--stats", options->stats, "Print the library's statistics on stderr at exit");
  app.add_flag("--json", options->json, "With --stats: as a line of JSON instead of a table");
  app.add_option("--set", options->settings, "Set an option, see 'hakmem boxes' (repeatable)")
      ->allow_extra_args(false)
      ->type_name("HAKMEM_NAME=VALUE");
  app.prefix_command();
  app.footer(kRunExamples);
  return [options](const Words& program) { return run(*options, program); };
}

const Registration run_command{"run", "Run a program under HAKMEM", describe_run};

}  // namespace
}  // namespace hakmem::tools
