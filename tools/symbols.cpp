#include "symbols.hpp"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

namespace hakmem::tools {

namespace fs = std::filesystem;

std::vector<Symbol> functions_in(const std::string& path) {
  std::vector<Symbol> functions;
  for (const char* table : {"--defined-only", "--dynamic"}) {
    const Finished names = run_child({"nm", "-C", "-S", "--defined-only", table, path});
    std::istringstream lines(names.out);
    for (std::string line; std::getline(lines, line);) {
      unsigned long long address = 0;
      unsigned long long size = 0;
      char kind = 0;
      int name = 0;
      if (std::sscanf(line.c_str(), "%llx %llx %c %n", &address, &size, &kind, &name) < 3) continue;
      if (std::strchr("tTwWiVu", kind) == nullptr) continue;
      functions.push_back({address, size, line.substr(static_cast<std::size_t>(name))});
    }
    if (!functions.empty()) break;
  }
  return functions;
}

Symbols::Symbols(const fs::path& maps) {
  std::ifstream stream(maps);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string range, access, offset, device, inode, object;
    words >> range >> access >> offset >> device >> inode;
    std::getline(words >> std::ws, object);
    if (access.size() < 3 || access[2] != 'x') continue;
    const std::size_t dash = range.find('-');
    mappings_.push_back({std::stoull(range.substr(0, dash), nullptr, 16),
                         std::stoull(range.substr(dash + 1), nullptr, 16),
                         std::stoull(offset, nullptr, 16), object.empty() ? "[memory]" : object});
  }
}

const Symbols::Object& Symbols::object_named(const std::string& path) {
  const auto [place, is_new] = objects_.try_emplace(path);
  Object& object = place->second;
  std::ifstream file(path, std::ios::binary);
  ElfW(Ehdr) header{};
  if (!is_new || !file.read(reinterpret_cast<char*>(&header), sizeof header)) return object;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return object;
  file.seekg(static_cast<std::streamoff>(header.e_phoff));
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    ElfW(Phdr) segment{};
    file.read(reinterpret_cast<char*>(&segment), sizeof segment);
    if (segment.p_type != PT_LOAD) continue;
    object.segments.push_back({segment.p_offset, segment.p_vaddr, segment.p_filesz});
  }
  for (Symbol& function : functions_in(path)) {
    function.name = without_parameters(function.name);
    object.functions[function.address] = std::move(function);
  }
  return object;
}

Frame Symbols::frame_at(std::uint64_t address) {
  for (const Mapping& mapping : mappings_) {
    if (address < mapping.begin || address >= mapping.end) continue;
    Frame frame{fmt::format("[{}]", fs::path(mapping.object).filename().string()), mapping.object};
    const Object& object = object_named(mapping.object);
    const std::uint64_t in_file = address - mapping.begin + mapping.file_offset;
    for (const auto& [offset, start, length] : object.segments) {
      if (in_file < offset || in_file >= offset + length) continue;
      const std::uint64_t in_object = in_file - offset + start;
      auto next = object.functions.upper_bound(in_object);
      if (next == object.functions.begin()) break;
      const auto& [begin, function] = *std::prev(next);
      if (in_object >= begin + function.size) break;
      frame.function = function.name;
      frame.offset = in_object - begin;
    }
    return frame;
  }
  return {"[unknown]", "[unknown]"};
}

}  // namespace hakmem::tools
