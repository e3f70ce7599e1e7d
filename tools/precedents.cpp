#include "precedents.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

namespace hakmem::tools {
namespace {

using Json = nlohmann::json;

// All texts of the document, one after the other.
void collect_texts(const Json& value, std::string& texts) {
  if (value.is_string()) texts += value.get<std::string>() + "\n";
  if (value.is_structured()) {
    for (const Json& inner : value) collect_texts(inner, texts);
  }
}

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

std::vector<Precedent> read_ledger(const std::filesystem::path& folder) {
  std::vector<Precedent> ledger;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream stream(entry.path());
    const Json document = Json::parse(stream, nullptr, false);
    if (!document.is_object()) continue;
    Precedent precedent;
    const std::string stem = entry.path().stem();
    precedent.number = stem.substr(0, stem.find('-'));
    precedent.name = document.value("title", document.value("name", stem));
    if (const auto verdict = document.find("verdict"); verdict != document.end()) {
      precedent.verdict = verdict->is_string() ? verdict->get<std::string>() : verdict->dump();
    }
    collect_texts(document, precedent.text);
    ledger.push_back(std::move(precedent));
  }
  std::sort(ledger.begin(), ledger.end(),
            [](const Precedent& a, const Precedent& b) { return a.number < b.number; });
  return ledger;
}

std::vector<Precedent> precedents_of(const std::vector<Precedent>& ledger,
                                     const std::string& function) {
  const std::size_t colons = function.rfind("::");
  const std::string word = colons == std::string::npos ? function : function.substr(colons + 2);
  std::vector<Precedent> found;
  // "malloc" and "free" stand in every entry.
  if (word.size() < 7) return found;
  std::copy_if(ledger.begin(), ledger.end(), std::back_inserter(found),
               [&](const Precedent& precedent) { return has_word(precedent.text, word); });
  return found;
}

std::string status_of(const std::vector<Precedent>& ledger, const std::string& function) {
  std::string status;
  for (const Precedent& precedent : precedents_of(ledger, function)) {
    status += status.empty() ? "known: " : ", ";
    status += precedent.verdict.empty() ? "entry" : precedent.verdict;
    status += " in ledger " + precedent.number;
  }
  return status;
}

}  // namespace hakmem::tools
