// What a subcommand of `hakmem` is. To add one: write tools/NAME.cpp with a Registration in it, and
// name the file in tools/CMakeLists.txt. main.cpp need not know.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "lab/error.hpp"

namespace hakmem::tools {

using Words = std::vector<std::string>;

// Does the work once the command line is understood, and returns the exit code. `program` is the
// foreign command line that follows the options, empty for subcommands that take none.
using Action = std::function<int(const Words& program)>;

struct Command {
  std::string name;
  std::string summary;
  // Adds the options to `app`. A subcommand that starts a program calls app.prefix_command(),
  // or app.allow_extras() where the program must stand behind "--".
  Action (*describe)(CLI::App& app);
};

// All subcommands, in the order in which CMakeLists.txt names their files.
std::vector<Command>& commands();

struct Registration {
  Registration(const char* name, const char* summary, Action (*describe)(CLI::App&)) {
    commands().push_back({name, summary, describe});
  }
};

// The command line makes no sense: thrown by actions for what CLI11 cannot see. Exit code 2.
using lab::UsageError;

// The exit code of `hakmem` for usage errors, and for failures of its own; a program that is
// started gives its own code, or 126 (cannot be executed) or 127 (not found) as in a shell.
inline constexpr int kExitUsage = 2;
inline constexpr int kExitFailure = 125;

}  // namespace hakmem::tools
