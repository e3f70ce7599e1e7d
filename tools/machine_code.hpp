// A function's instructions, and what can be said of them without running them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hakmem::tools {

struct Instruction {
  std::uint64_t address = 0;
  std::string text;  // AT&T syntax, as objdump prints it
  std::string file;  // the source line it comes from, where the build has debug information
  unsigned line = 0;
  std::optional<std::uint64_t> target;  // of a jump or call to a fixed place
};

struct Function {
  std::string name;  // demangled
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  std::vector<Instruction> instructions;
};

// The function of that name ("malloc", "hakmem::unified_cache_push", or its last part alone).
// Throws UsageError with similar names when there is none, std::runtime_error when a tool is
// missing.
Function disassemble(const std::string& library, const std::string& name);

// The text of `objdump --disassemble --line-numbers --no-show-raw-insn`.
std::vector<Instruction> parse_disassembly(const std::string& text);

// The instructions that run when no conditional jump is taken, up to the return or a jump out of
// the function: compilers lay the likely path so.
std::vector<Instruction> straight_path(const Function& function);

// What an instruction reads and writes. x86-64 alone.
struct Effects {
  std::vector<std::string> reads;  // registers by their 64-bit names, and "flags"
  std::vector<std::string> writes;
  std::vector<std::string> address;  // registers of its memory operand; they are in `reads`, too
  std::string memory;                // the operand's text; empty without one
  bool loads = false;
  bool stores = false;
  bool jumps = false;
};
Effects effects_of(const std::string& text);

}  // namespace hakmem::tools
