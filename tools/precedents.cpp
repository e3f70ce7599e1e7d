#include "precedents.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace hakmem::tools {
namespace {

bool is_part_of_word(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool has_word(const std::string& text, const std::string& word) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if (at > 0 && is_part_of_word(text[at - 1])) continue;
    if (end < text.size() && is_part_of_word(text[end])) continue;
    return true;
  }
  return false;
}

}  // namespace

Ledger precedents_of(const Ledger& ledger, const std::string& function) {
  const std::size_t colons = function.rfind("::");
  const std::string word = colons == std::string::npos ? function : function.substr(colons + 2);
  Ledger found;
  // "malloc" and "free" stand in many entries that are about neither.
  if (word.size() < 7) return found;
  std::copy_if(ledger.begin(), ledger.end(), std::back_inserter(found),
               [&](const lab::LedgerEntry& entry) {
                 return has_word(entry.name, word) || has_word(entry.hypothesis, word) ||
                        has_word(entry.reported, word) || has_word(entry.risk, word);
               });
  return found;
}

std::string status_of(const Ledger& ledger, const std::string& function) {
  std::string status;
  for (const lab::LedgerEntry& entry : precedents_of(ledger, function)) {
    status += fmt::format("{}{} in ledger {:03}", status.empty() ? "known: " : ", ",
                          entry.verdict == "none" ? "entry" : entry.verdict, entry.number);
  }
  return status;
}

std::string text_of(const lab::LedgerEntry& entry) {
  return fmt::format("ledger {:03}, {}: {}, {}{}", entry.number, entry.name,
                     entry.verdict == "none" ? "no verdict" : entry.verdict, entry.decision,
                     entry.reported.empty() ? "" : " (reported, not measured here)");
}

}  // namespace hakmem::tools
