// The ledger of decisions: docs/experiments/NNN-NAME.json, and NNN-NAME.md made from it.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace hakmem::lab {

struct LedgerEntry {
  unsigned number = 0;  // 0: not written yet
  std::string name;     // lower-case words with dashes
  std::string date;
  std::string hypothesis;
  std::string expect;   // the gain hoped for
  std::string risk;     // what may go wrong, or be lost
  std::string verdict;  // GO, NO-GO, NEUTRAL, UNDECIDED; "none" where nothing was compared
  std::string decision = "open";      // one of decisions()
  std::string reported;               // what others reported; empty for what was measured here
  nlohmann::ordered_json experiment;  // the measurement; null for what was only reported
};

// What may be decided; "open" until somebody does.
const std::vector<std::string>& decisions();

// The nearest docs/experiments above the present folder, else above this program. Throws
// UsageError.
std::filesystem::path ledger_folder();

// All entries, by number. Throws std::runtime_error, with the file's name, for what is no entry.
std::vector<LedgerEntry> read_ledger(const std::filesystem::path& folder);

// The one of that number or name; throws UsageError.
LedgerEntry find_entry(const std::filesystem::path& folder, const std::string& number_or_name);

// Throws UsageError for a name or a decision that is none.
void check_entry(const LedgerEntry& entry);

// Writes both files and returns the path of the .md; gives the entry the next number where it has
// none. Throws as check_entry does.
std::filesystem::path write_entry(const std::filesystem::path& folder, LedgerEntry& entry);

std::string markdown_of(const LedgerEntry& entry);
nlohmann::ordered_json json_of(const LedgerEntry& entry);
LedgerEntry entry_of(const nlohmann::ordered_json& json);

}  // namespace hakmem::lab
