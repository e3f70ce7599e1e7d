#include "lab/allocator.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "lab/companion.hpp"
#include "lab/error.hpp"
#include "lab/process.hpp"

namespace hakmem::lab {
namespace {

namespace fs = std::filesystem;

struct Peer {
  const char* name;
  const char* soname;
};

constexpr std::array<Peer, 4> kPeers = {{{"mimalloc", "libmimalloc.so.2"},
                                         {"jemalloc", "libjemalloc.so.2"},
                                         {"tcmalloc", "libtcmalloc_minimal.so.4"},
                                         {"tbbmalloc", "libtbbmalloc_proxy.so.2"}}};

std::string readable_library(const std::string& name, const std::string& path) {
  if (path.empty()) return path;
  if (access(path.c_str(), R_OK) != 0 || !fs::is_regular_file(path)) {
    throw UsageError(fmt::format("{}: cannot read {}", name, path));
  }
  std::string absolute = fs::absolute(path);
  if (absolute.find_first_of(" :") != std::string::npos) {
    throw UsageError(
        fmt::format("{}: the loader cannot preload a path with a space or a colon", absolute));
  }
  return absolute;
}

Allocator parse_keyword(const std::string& word) {
  if (word == "null") return {word, companion("libnull_malloc.so"), {}};
  if (word == "hakmem") return {word, companion("libhakmem.so"), {}};
  if (word == "glibc") return {word, "", {}};
  std::string known = "null, glibc, hakmem";
  for (Allocator& peer : installed_peers()) {
    if (peer.name == word) return std::move(peer);
    known += ", " + peer.name;
  }
  throw UsageError(fmt::format("'{}' is not name=library.so, nor one of {}", word, known));
}

}  // namespace

Variables parse_variables(const std::string& text) {
  Variables variables;
  std::stringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t equals = part.find('=');
    if (equals == 0 || equals == std::string::npos) {
      throw UsageError(fmt::format("'{}' is not VARIABLE=VALUE", part));
    }
    variables.emplace_back(part.substr(0, equals), part.substr(equals + 1));
  }
  if (variables.empty()) throw UsageError("VARIABLE=VALUE is missing after the colon");
  return variables;
}

Allocator parse_allocator(const std::string& word) {
  const std::size_t colon = word.find(':');
  const std::string who = word.substr(0, colon);
  const std::size_t equals = who.find('=');
  if (equals == 0) throw UsageError(fmt::format("'{}' has no name before '='", word));
  Allocator allocator;
  if (equals == std::string::npos) {
    allocator = parse_keyword(who);
  } else {
    allocator.name = who.substr(0, equals);
    allocator.library = readable_library(allocator.name, who.substr(equals + 1));
  }
  if (colon != std::string::npos) allocator.environment = parse_variables(word.substr(colon + 1));
  return allocator;
}

std::vector<Allocator> parse_allocators(const std::vector<std::string>& words, bool distinct) {
  std::vector<Allocator> allocators;
  std::set<std::string> names;
  for (const std::string& word : words) {
    allocators.push_back(parse_allocator(word));
    if (!names.insert(allocators.back().name).second && distinct) {
      throw UsageError(fmt::format("two allocators are named {}", allocators.back().name));
    }
  }
  return allocators;
}

std::vector<Allocator> installed_peers() {
  Launch launch;
  launch.command = {"/sbin/ldconfig", "-p"};
  std::vector<Allocator> peers;
  if (access(launch.command.front().c_str(), X_OK) != 0) return peers;
  std::stringstream lines(output_of(launch));
  std::vector<std::pair<std::string, std::string>> found;  // soname, path
  for (std::string line; std::getline(lines, line);) {
    const std::size_t arrow = line.find(" => ");
    const std::size_t begin = line.find_first_not_of(" \t");
    if (arrow == std::string::npos) continue;
    found.emplace_back(line.substr(begin, line.find(' ', begin) - begin), line.substr(arrow + 4));
  }
  for (const Peer& peer : kPeers) {
    const auto at = std::find_if(found.begin(), found.end(),
                                 [&](const auto& entry) { return entry.first == peer.soname; });
    if (at != found.end()) peers.push_back({peer.name, at->second, {}});
  }
  return peers;
}

std::string version_of(const Allocator& allocator) {
  Launch launch;
  launch.command = {companion("allocator_version")};
  launch.preload = allocator.library;
  launch.environment = allocator.environment;
  std::string version = output_of(launch);
  while (!version.empty() && version.back() == '\n') version.pop_back();
  return version;
}

bool has_mapped(pid_t process, const std::string& library) {
  const std::string path = fs::canonical(library);
  std::ifstream maps("/proc/" + std::to_string(process) + "/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.ends_with(" " + path)) return true;
  return false;
}

}  // namespace hakmem::lab
