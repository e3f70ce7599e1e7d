// What the ledger of experiments (docs/experiments/*.json) says about a function.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace hakmem::tools {

struct Precedent {
  std::string number;  // "014"
  std::string name;
  std::string verdict;  // "NO-GO"
  std::string text;     // all that the entry says, to be searched
};

// Empty where there is no such folder.
std::vector<Precedent> read_ledger(const std::filesystem::path& folder);

// Entries that name the function by the last part of its name.
std::vector<Precedent> precedents_of(const std::vector<Precedent>& ledger,
                                     const std::string& function);

// "known: NO-GO in ledger 014", or nothing.
std::string status_of(const std::vector<Precedent>& ledger, const std::string& function);

}  // namespace hakmem::tools
