#include "lab/ledger.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>

#include "lab/companion.hpp"
#include "lab/error.hpp"
#include "lab/experiment.hpp"

namespace hakmem::lab {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

bool is_name(const std::string& name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !name.empty() && name.size() <= 60 && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), fits);
}

std::string stem_of(const LedgerEntry& entry) {
  return fmt::format("{:03}-{}", entry.number, entry.name);
}

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

fs::path folder_above(fs::path start) {
  for (; !start.empty(); start = start.parent_path()) {
    if (fs::is_directory(start / "docs" / "experiments")) return start / "docs" / "experiments";
    if (start == start.parent_path()) break;
  }
  return {};
}

}  // namespace

const std::vector<std::string>& decisions() {
  static const std::vector<std::string> all = {"open", "adopted", "research", "reverted"};
  return all;
}

fs::path ledger_folder() {
  for (const fs::path& start : {fs::current_path(), own_folder()})
    if (fs::path folder = folder_above(start); !folder.empty()) return folder;
  throw UsageError("there is no docs/experiments here; name the ledger's folder with --ledger-dir");
}

Json json_of(const LedgerEntry& entry) {
  return {{"number", entry.number},     {"name", entry.name},
          {"date", entry.date},         {"hypothesis", entry.hypothesis},
          {"expect", entry.expect},     {"risk", entry.risk},
          {"verdict", entry.verdict},   {"decision", entry.decision},
          {"reported", entry.reported}, {"experiment", entry.experiment}};
}

LedgerEntry entry_of(const Json& json) {
  LedgerEntry entry;
  json.at("number").get_to(entry.number);
  json.at("name").get_to(entry.name);
  json.at("date").get_to(entry.date);
  json.at("hypothesis").get_to(entry.hypothesis);
  json.at("expect").get_to(entry.expect);
  json.at("risk").get_to(entry.risk);
  json.at("verdict").get_to(entry.verdict);
  json.at("decision").get_to(entry.decision);
  json.at("reported").get_to(entry.reported);
  entry.experiment = json.at("experiment");
  return entry;
}

std::vector<LedgerEntry> read_ledger(const fs::path& folder) {
  if (!fs::is_directory(folder)) throw UsageError(folder.string() + " is not a folder");
  std::vector<LedgerEntry> entries;
  for (const auto& file : fs::directory_iterator(folder)) {
    if (file.path().extension() != ".json") continue;
    std::ifstream stream(file.path());
    try {
      entries.push_back(entry_of(Json::parse(stream)));
    } catch (const nlohmann::json::exception& error) {
      throw std::runtime_error(file.path().string() + " is no entry: " + error.what());
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  return entries;
}

LedgerEntry find_entry(const fs::path& folder, const std::string& number_or_name) {
  for (const LedgerEntry& entry : read_ledger(folder)) {
    if (number_or_name == entry.name || number_or_name == std::to_string(entry.number) ||
        number_or_name == fmt::format("{:03}", entry.number)) {
      return entry;
    }
  }
  throw UsageError(fmt::format("there is no entry {} in the ledger", number_or_name));
}

void check_entry(const LedgerEntry& entry) {
  if (!is_name(entry.name)) {
    throw UsageError(
        fmt::format("'{}' is no name: lower-case letters, digits, dashes", entry.name));
  }
  const auto& known = decisions();
  if (std::find(known.begin(), known.end(), entry.decision) == known.end()) {
    throw UsageError(
        fmt::format("'{}' is no decision; there are {}", entry.decision, fmt::join(known, ", ")));
  }
}

fs::path write_entry(const fs::path& folder, LedgerEntry& entry) {
  check_entry(entry);
  if (entry.number == 0) {
    const std::vector<LedgerEntry> all = read_ledger(folder);
    entry.number = all.empty() ? 1 : all.back().number + 1;
  }
  write_file(folder / (stem_of(entry) + ".json"), json_of(entry).dump() + "\n");
  fs::path text = folder / (stem_of(entry) + ".md");
  write_file(text, markdown_of(entry));
  return text;
}

std::string markdown_of(const LedgerEntry& entry) {
  std::string text = fmt::format(
      "# {:03} {}\n\n{}: verdict {}, decision {}\n\n"
      "- Hypothesis: {}\n- Expected: {}\n- Risk: {}\n",
      entry.number, entry.name, entry.date, entry.verdict, entry.decision, entry.hypothesis,
      entry.expect, entry.risk);
  if (!entry.reported.empty())
    text += fmt::format("- Reported, not measured here: {}\n", entry.reported);
  if (entry.experiment.is_null()) return text;
  const Json& experiment = entry.experiment;
  text += fmt::format("\n    {}\n\n", experiment.at("command").get<std::string>());
  std::string measured = to_text(experiment);
  while (measured.ends_with('\n')) measured.pop_back();
  text += "```\n" + measured + "\n```\n\n";
  const Json& machine = experiment.at("machine");
  text += fmt::format("Machine: {}, {} CPUs, kernel {}{}, load {:.1f}.\n",
                      machine.at("processor").get<std::string>(),
                      machine.at("cpus").get<unsigned>(), machine.at("kernel").get<std::string>(),
                      machine.at("virtual").get<bool>() ? ", virtual" : "",
                      machine.at("load").get<double>());
  for (const char* side : {"a", "b"}) {
    const Json& hashes = experiment.at(side).at("sha256");
    if (hashes.empty()) continue;
    text += fmt::format("Build {}: sha256 {}", side[0] == 'a' ? 'A' : 'B',
                        hashes.front().get<std::string>().substr(0, 16));
    text += hashes.size() > 1 ? fmt::format(" and {} more.\n", hashes.size() - 1) : ".\n";
  }
  return text;
}

}  // namespace hakmem::lab
