// The hakmem command: parses the command line, finds the subcommand, turns errors into one line.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <memory>
#include <utility>

#include "command.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/hakmem.h"

namespace hakmem::tools {

std::vector<Command>& commands() {
  static std::vector<Command> all;
  return all;
}

namespace {

constexpr const char* kExamples = R"(Examples:
  hakmem run -- python3 script.py            run a program under HAKMEM
  hakmem run --profile lean --stats -- make  a smaller heap, and statistics at the end
  hakmem boxes                               what can be set, and how it is set now
  hakmem ab old=./old.so new=./new.so        is the new one faster? by how much, how sure?
  hakmem ledger                              what was tried, and what came of it
  hakmem bench                               how it compares with the allocators installed here
  hakmem score                               what it is held to, and where it stands
  hakmem profile -- python3 script.py        where the time goes
  hakmem asm malloc                          a function's instructions and what they wait for)";

// A foreign command line: behind "--", or with prefix_command() behind the options as well.
bool takes_program(const CLI::App& app) {
  return app.get_prefix_command() || app.get_allow_extras();
}

class Formatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = CLI::Formatter::make_usage(app, std::move(name));
    if (takes_program(*app)) {
      usage.insert(usage.find_last_not_of('\n') + 1, " -- CMD [ARG...]");
    }
    return usage;
  }
};

// One line, whatever CLI11 made of it.
int usage_error(const CLI::App& app, std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  const std::string name =
      app.get_parent() == nullptr ? app.get_name() : "hakmem " + app.get_name();
  fmt::print(stderr, "{}: {} (see '{} --help')\n", name, message, name);
  return kExitUsage;
}

// CLI11 counts what is missing before it names what it does not know; the latter says more.
int parse_error(const CLI::App& app, const CLI::ParseError& error) {
  const auto parsed = app.get_subcommands();
  const bool before_subcommand = parsed.empty() || app.remaining_size() > 0;
  const CLI::App& at = before_subcommand ? app : *parsed.front();
  const bool unknown = at.remaining_size() > 0 && !at.get_prefix_command();
  return usage_error(at, unknown ? "unknown argument " + at.remaining().front() : error.what());
}

// The foreign command line: what CLI11 left over, then what stood behind the first "--". CLI11
// never sees the latter, so that not a letter of it can be taken for ours.
Words program_of(const CLI::App& subcommand, bool marked, const Words& behind_mark) {
  if (subcommand.get_allow_extras() && subcommand.remaining_size() > 0) {
    throw UsageError("unknown argument " + subcommand.remaining().front());
  }
  Words program = subcommand.get_prefix_command() ? subcommand.remaining() : Words{};
  if (!program.empty() && program.front().size() > 1 && program.front().front() == '-') {
    throw UsageError("unknown argument " + program.front());
  }
  if (!program.empty() && marked) program.emplace_back("--");
  program.insert(program.end(), behind_mark.begin(), behind_mark.end());
  if (!takes_program(subcommand) && !program.empty()) {
    throw UsageError("unknown argument " + program.front());
  }
  return program;
}

int finish(int exit_code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  std::perror("hakmem: cannot write the output");
  return kExitFailure;
}

int run_command_line(Words words) {
  CLI::App app{"HAKMEM, a general-purpose memory allocator", "hakmem"};
  app.formatter(std::make_shared<Formatter>());
  app.footer(kExamples);
  app.set_version_flag("--version",
                       fmt::format("hakmem {}.{}.{} ({} flavour)", HAKMEM_VERSION_MAJOR,
                                   HAKMEM_VERSION_MINOR, HAKMEM_VERSION_PATCH, config::flavour()));
  app.require_subcommand(1);

  std::vector<std::pair<CLI::App*, Action>> known;
  for (const Command& command : commands()) {
    CLI::App* subcommand = app.add_subcommand(command.name, command.summary);
    known.emplace_back(subcommand, command.describe(*subcommand));
  }

  const auto mark = std::find(words.begin(), words.end(), "--");
  const bool marked = mark != words.end();
  const Words behind_mark(marked ? std::next(mark) : mark, words.end());
  words.erase(mark, words.end());
  std::reverse(words.begin(), words.end());  // the order that CLI::App::parse(vector) wants

  const CLI::App* chosen = &app;
  try {
    app.parse(words);
    for (const auto& [subcommand, action] : known) {
      if (!subcommand->parsed()) continue;
      chosen = subcommand;
      return finish(action(program_of(*subcommand, marked, behind_mark)));
    }
    return usage_error(app, "a subcommand is required");
  } catch (const UsageError& error) {
    return usage_error(*chosen, error.what());
  } catch (const CLI::Success& help_or_version) {
    app.exit(help_or_version);
    return finish(0);
  } catch (const CLI::ParseError& error) {
    return parse_error(app, error);
  }
}

}  // namespace
}  // namespace hakmem::tools

int main(int argc, char** argv) try {
  return hakmem::tools::run_command_line({argv + std::min(argc, 1), argv + argc});
} catch (const std::exception& error) {
  fmt::print(stderr, "hakmem: {}\n", error.what());
  return hakmem::tools::kExitFailure;
}
