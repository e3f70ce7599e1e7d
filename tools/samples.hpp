// Where a program was, as perf or our own timer saw it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "child.hpp"

namespace hakmem::tools {

struct Frame {
  std::string function;      // demangled, without parameters; "[file]" where no symbol is known
  std::string object;        // the file it is in
  std::uint64_t offset = 0;  // in the function

  bool operator==(const Frame&) const = default;
};

using Stack = std::vector<Frame>;  // innermost first, never empty

struct Sampling {
  std::string method;  // "perf, cpu-clock" or "timer"
  std::vector<Stack> stacks;
  bool has_callers = false;
  int exit_code = 0;
  std::string note;  // what went wrong without stopping it
};

enum class Method { automatic, perf, timer };

// Runs `words` under `library` with `rate` samples a second of CPU time.
Sampling sample(const std::vector<std::string>& words, const std::string& library, int rate,
                Method method, Output output);

// The text of `perf script -F ip,sym,symoff,dso` as stacks.
std::vector<Stack> parse_perf_script(const std::string& text);

// "hakmem::f<&g>(int) const" -> "hakmem::f<&g>".
std::string without_parameters(const std::string& name);

}  // namespace hakmem::tools
