// The allocators that are compared: those named on the command line as name=path.so, and the peers
// that are installed.
#pragma once

#include <string>
#include <vector>

namespace hakmem::tools {

struct Subject {
  std::string name;
  std::string library;  // absolute; empty for libc's own malloc
  std::string version;  // "" where it cannot be told
};

// "name=path.so", or "name=" for libc's malloc. Throws UsageError.
Subject parse_subject(const std::string& word);

// Debian's allocators, where the loader finds them.
std::vector<Subject> installed_peers();

// The library that belongs to this command. Throws when it is not there.
Subject own_subject();

// Asks the library itself, else the package it comes from.
std::string version_of(const Subject& subject);

}  // namespace hakmem::tools
