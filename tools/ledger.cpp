// hakmem ledger: the decisions so far; shows one, runs its measurement again, notes a decision.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "command.hpp"
#include "lab/ledger.hpp"

namespace hakmem::tools {
namespace {

constexpr const char* kLedgerFooter = R"(Entries are made by 'hakmem ab --ledger NAME'.

Examples:
  hakmem ledger
  hakmem ledger 7
  hakmem ledger 7 --rerun
  hakmem ledger 7 --decide adopted)";

struct LedgerOptions {
  std::string entry;
  std::string folder;
  std::string decision;
  bool rerun = false;
  bool json = false;
};

void list(const std::vector<lab::LedgerEntry>& entries) {
  for (const lab::LedgerEntry& entry : entries) {
    fmt::print("{:03}  {}  {:<9}  {:<8}  {}{}\n", entry.number, entry.date, entry.verdict,
               entry.decision, entry.name,
               entry.reported.empty() ? "" : "  (reported, not measured here)");
  }
}

void list_as_json(const std::vector<lab::LedgerEntry>& entries) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const lab::LedgerEntry& entry : entries) all.push_back(lab::json_of(entry));
  fmt::print("{}\n", all.dump());
}

// Becomes the command that the entry was made by, without its --ledger.
[[noreturn]] void rerun(const lab::LedgerEntry& entry) {
  if (entry.experiment.is_null()) {
    throw UsageError(
        fmt::format("{} was reported by others: there is no measurement to run again", entry.name));
  }
  auto words = entry.experiment.at("words").get<std::vector<std::string>>();
  words.insert(words.begin(), "hakmem");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  fmt::print("{:03} {} said {}. Again: {}\n\n", entry.number, entry.name, entry.verdict,
             entry.experiment.at("command").get<std::string>());
  std::fflush(stdout);
  execv("/proc/self/exe", arguments.data());
  throw std::runtime_error(fmt::format("cannot start hakmem: {}", std::strerror(errno)));
}

int act(const LedgerOptions& options) {
  const std::filesystem::path folder =
      options.folder.empty() ? lab::ledger_folder() : std::filesystem::path(options.folder);
  if (options.entry.empty()) {
    if (options.rerun || !options.decision.empty())
      throw UsageError("name an entry by its number or its name");
    (options.json ? list_as_json : list)(lab::read_ledger(folder));
    return 0;
  }
  lab::LedgerEntry entry = lab::find_entry(folder, options.entry);
  if (options.rerun) rerun(entry);
  if (!options.decision.empty()) {
    entry.decision = options.decision;
    lab::write_entry(folder, entry);
  }
  fmt::print("{}", options.json ? lab::json_of(entry).dump() + "\n" : lab::markdown_of(entry));
  return 0;
}

Action describe_ledger(CLI::App& app) {
  auto options = std::make_shared<LedgerOptions>();
  app.add_option("entry", options->entry, "Number or name of one entry (default: list all)");
  app.add_flag("--rerun", options->rerun, "Run its measurement again");
  app.add_option("--decide", options->decision, "open, adopted, research or reverted")
      ->check(CLI::IsMember(lab::decisions()))
      ->type_name("WORD");
  app.add_option("--ledger-dir", options->folder, "The ledger (default: docs/experiments)")
      ->type_name("DIR");
  app.add_flag("--json", options->json, "Print a JSON document");
  app.footer(kLedgerFooter);
  return [options](const Words&) { return act(*options); };
}

const Registration ledger_command{"ledger", "List the decisions so far, or run one again",
                                  describe_ledger};

}  // namespace
}  // namespace hakmem::tools
