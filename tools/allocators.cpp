#include "allocators.hpp"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <sstream>

#include "child.hpp"
#include "command.hpp"
#include "library.hpp"

namespace hakmem::tools {

namespace fs = std::filesystem;

Subject parse_subject(const std::string& word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw UsageError(fmt::format("'{}' is not name=library.so (name= stands for libc)", word));
  }
  Subject subject{word.substr(0, equals), word.substr(equals + 1), ""};
  if (subject.library.empty()) return subject;
  if (!is_loadable(subject.library)) {
    throw UsageError(fmt::format("{}: {} is not a shared library that can be loaded here",
                                 subject.name, subject.library));
  }
  subject.library = fs::absolute(subject.library);
  return subject;
}

std::vector<Subject> installed_peers() {
  constexpr std::array<std::array<const char*, 2>, 4> kPeers = {{
      {"mimalloc", "libmimalloc.so.2"},
      {"jemalloc", "libjemalloc.so.2"},
      {"tcmalloc", "libtcmalloc_minimal.so.4"},
      {"tbbmalloc", "libtbbmalloc_proxy.so.2"},
  }};
  std::vector<Subject> peers;
  const Finished cache = run_child({"/sbin/ldconfig", "-p"});
  for (const auto& [name, soname] : kPeers) {
    std::istringstream lines(cache.out);
    for (std::string line; std::getline(lines, line);) {
      const std::size_t arrow = line.find(" => ");
      if (arrow == std::string::npos || line.find(fmt::format("\t{} (", soname)) != 0) continue;
      const std::string path = line.substr(arrow + 4);
      if (!is_loadable(path)) continue;
      peers.push_back({name, path, ""});
      break;
    }
  }
  return peers;
}

Subject own_subject() {
  const fs::path library = own_library();
  if (library.empty()) {
    throw std::runtime_error("no libhakmem.so where this command was built or installed");
  }
  return {"hakmem", library, ""};
}

std::string version_of(const Subject& subject) {
  const fs::path asker = own_helper("allocator_version");
  if (!asker.empty()) {
    std::string answer = run_child({asker}, preloading(subject.library)).out;
    while (!answer.empty() && answer.back() == '\n') answer.pop_back();
    if (!answer.empty()) return answer;
  }
  if (subject.library.empty() || !has_program("dpkg-query")) return "";
  const fs::path file = fs::canonical(subject.library);
  const std::string owner = run_child({"dpkg-query", "-S", file}).out;
  const std::string package = owner.substr(0, owner.find(": "));
  if (package.empty()) return "";
  return run_child({"dpkg-query", "-W", "-f", "${Version}", package}).out;
}

}  // namespace hakmem::tools
