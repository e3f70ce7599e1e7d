// What the ledger of experiments says about a function.
#pragma once

#include <string>
#include <vector>

#include "lab/ledger.hpp"

namespace hakmem::tools {

using Ledger = std::vector<lab::LedgerEntry>;

// Entries that name the function by the last part of its name.
Ledger precedents_of(const Ledger& ledger, const std::string& function);

// "known: NO-GO in ledger 014", or nothing.
std::string status_of(const Ledger& ledger, const std::string& function);

// "ledger 004, always-inline: NO-GO, reverted (reported, not measured here)"
std::string text_of(const lab::LedgerEntry& entry);

}  // namespace hakmem::tools
