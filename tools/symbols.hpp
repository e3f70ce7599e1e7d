// From an address in a process that has ended to a function's name.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "samples.hpp"

namespace hakmem::tools {

struct Symbol {
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  std::string name;  // with its parameters
};

// All functions of a program or library, or, of a stripped file, those it exports.
std::vector<Symbol> functions_in(const std::string& path);

class Symbols {
 public:
  // `maps`: what /proc/PID/maps said.
  explicit Symbols(const std::filesystem::path& maps);

  Frame frame_at(std::uint64_t address);

 private:
  struct Mapping {
    std::uint64_t begin, end, file_offset;
    std::string object;
  };
  // Where functions begin, and where in the file the object's addresses count from.
  struct Object {
    std::map<std::uint64_t, Symbol> functions;
    std::vector<std::array<std::uint64_t, 3>> segments;  // file offset, address, length
  };

  const Object& object_named(const std::string& path);

  std::vector<Mapping> mappings_;
  std::map<std::string, Object> objects_;
};

}  // namespace hakmem::tools
