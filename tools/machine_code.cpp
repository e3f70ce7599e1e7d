#include "machine_code.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <regex>
#include <sstream>

#include "child.hpp"
#include "lab/error.hpp"
#include "samples.hpp"
#include "symbols.hpp"

namespace hakmem::tools {
namespace {

bool has_name(const Symbol& symbol, const std::string& name) {
  const std::string full = without_parameters(symbol.name);
  if (full == name || symbol.name == name) return true;
  if (full.size() <= name.size() + 2 || !full.ends_with(name)) return false;
  return full.compare(full.size() - name.size() - 2, 2, "::") == 0;
}

[[noreturn]] void not_found(const std::vector<Symbol>& symbols, const std::string& name) {
  std::string similar;
  int count = 0;
  for (const Symbol& symbol : symbols) {
    if (symbol.name.find(name) == std::string::npos || ++count > 5) continue;
    similar += (similar.empty() ? "; similar: " : ", ") + without_parameters(symbol.name);
  }
  throw lab::UsageError(fmt::format("no function '{}'{}", name, similar));
}

// Register names of every width, by the 64-bit one: "eax" -> "rax".
std::string whole_register(std::string name) {
  static const std::regex numbered("(r[0-9]+)[dwb]?");
  static const std::regex vector("[yz]mm([0-9]+)");
  std::smatch match;
  if (std::regex_match(name, match, numbered)) return match[1];
  if (std::regex_match(name, match, vector)) return "xmm" + match[1].str();
  for (const char* family : {"ax", "bx", "cx", "dx"}) {
    const char letter = family[0];
    if (name == family || name == std::string("e") + family || name == std::string("r") + family ||
        name == std::string{letter, 'l'} || name == std::string{letter, 'h'}) {
      return std::string("r") + family;
    }
  }
  for (const char* family : {"si", "di", "bp", "sp"}) {
    if (name == family || name == std::string("e") + family || name == std::string(family) + "l") {
      return std::string("r") + family;
    }
  }
  return name;
}

std::vector<std::string> registers_in(const std::string& operand) {
  static const std::regex name("%([a-z][a-z0-9]*)");
  std::vector<std::string> found;
  for (std::sregex_iterator i(operand.begin(), operand.end(), name), end; i != end; ++i) {
    const std::string reg = (*i)[1];
    if (reg != "fs" && reg != "gs" && reg != "rip") found.push_back(whole_register(reg));
  }
  return found;
}

std::vector<std::string> operands_of(const std::string& text) {
  std::vector<std::string> operands;
  std::string operand;
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == ',' && depth == 0) {
      operands.push_back(operand);
      operand.clear();
    } else if (c != ' ') {
      operand += c;
    }
  }
  if (!operand.empty()) operands.push_back(operand);
  return operands;
}

bool is_memory(const std::string& operand) {
  return operand.find('(') != std::string::npos || operand.rfind("%fs:", 0) == 0 ||
         operand.rfind("%gs:", 0) == 0;
}

bool starts_with_one_of(const std::string& word, std::initializer_list<const char*> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](const char* beginning) { return word.rfind(beginning, 0) == 0; });
}

void add(std::vector<std::string>& to, const std::vector<std::string>& more) {
  for (const std::string& one : more) {
    if (std::find(to.begin(), to.end(), one) == to.end()) to.push_back(one);
  }
}

// What the name of an instruction implies beside its operands.
void add_implied(const std::string& name, std::size_t operands, Effects& effects) {
  const auto touch = [&](std::initializer_list<const char*> reads,
                         std::initializer_list<const char*> writes) {
    add(effects.reads, {reads.begin(), reads.end()});
    add(effects.writes, {writes.begin(), writes.end()});
  };
  if (starts_with_one_of(name, {"push", "pop"})) touch({"rsp"}, {"rsp"});
  if (starts_with_one_of(name, {"call"})) {
    touch({"rdi", "rsi", "rdx", "rcx", "r8", "r9", "rsp"},
          {"rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "flags"});
  }
  if (starts_with_one_of(name, {"ret"})) touch({"rsp"}, {"rsp"});
  if (starts_with_one_of(name, {"cmpxchg"})) touch({"rax"}, {"rax"});
  if (starts_with_one_of(name, {"cltq", "cwtl"})) touch({"rax"}, {"rax"});
  if (starts_with_one_of(name, {"cqto", "cltd"})) touch({"rax"}, {"rdx"});
  const bool wide = starts_with_one_of(name, {"mul", "div", "idiv"}) && name != "mulx";
  if (wide || (name.rfind("imul", 0) == 0 && operands == 1)) {
    touch({"rax", "rdx"}, {"rax", "rdx"});
  }
  if (starts_with_one_of(name, {"adc", "sbb", "set", "cmov"})) touch({"flags"}, {});
  if (name[0] == 'j' && name.rfind("jmp", 0) != 0) touch({"flags"}, {});
  const bool sets_flags =
      starts_with_one_of(name, {"add",    "sub",   "cmp",   "test",  "and",    "or",  "xor", "inc",
                                "dec",    "neg",   "adc",   "sbb",   "imul",   "mul", "bt",  "xadd",
                                "ucomis", "comis", "tzcnt", "lzcnt", "popcnt", "bsf", "bsr"}) ||
      (starts_with_one_of(name, {"sh", "sa", "ro"}) && name.back() != 'x');
  if (sets_flags) touch({}, {"flags"});
}

}  // namespace

std::vector<Instruction> parse_disassembly(const std::string& text) {
  static const std::regex source("(/.*|[^ ]+\\.(?:cpp|hpp|h|c)):([0-9]+)(?: \\(discriminator.*)?");
  static const std::regex code(" *([0-9a-f]+):\t(.*)");
  static const std::regex target("(j[a-z]+|call|bnd jmp|b|bl|b\\.[a-z]+) +([0-9a-f]+)(?: <.*)?");
  std::vector<Instruction> instructions;
  std::string file;
  unsigned line_number = 0;
  std::istringstream lines(text);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, match, source)) {
      file = match[1];
      line_number = static_cast<unsigned>(std::stoul(match[2]));
    } else if (std::regex_match(line, match, code)) {
      Instruction instruction;
      instruction.address = std::stoull(match[1], nullptr, 16);
      instruction.text = match[2];
      instruction.text.erase(instruction.text.find_last_not_of(" \t") + 1);
      instruction.file = file;
      instruction.line = line_number;
      if (std::smatch jump; std::regex_match(instruction.text, jump, target)) {
        instruction.target = std::stoull(jump[2], nullptr, 16);
      }
      instructions.push_back(std::move(instruction));
    }
  }
  return instructions;
}

Function disassemble(const std::string& library, const std::string& name) {
  for (const char* program : {"nm", "objdump"}) {
    if (has_program(program)) continue;
    throw std::runtime_error(fmt::format("{} is missing (package binutils)", program));
  }
  const std::vector<Symbol> symbols = functions_in(library);
  const Symbol* chosen = nullptr;
  for (const Symbol& symbol : symbols) {
    // Of several (instances of a template) the longest.
    if (has_name(symbol, name) && (chosen == nullptr || symbol.size > chosen->size)) {
      chosen = &symbol;
    }
  }
  if (chosen == nullptr) not_found(symbols, name);
  const Finished dump =
      run_child({"objdump", "--disassemble", "--line-numbers", "--no-show-raw-insn", "--demangle",
                 fmt::format("--start-address={:#x}", chosen->address),
                 fmt::format("--stop-address={:#x}", chosen->address + chosen->size), library});
  if (!dump.ok()) throw std::runtime_error("objdump: " + dump.err);
  return {without_parameters(chosen->name), chosen->address, chosen->size,
          parse_disassembly(dump.out)};
}

std::vector<Instruction> straight_path(const Function& function) {
  std::vector<Instruction> path;
  std::size_t i = 0;
  const auto& code = function.instructions;
  while (i < code.size() && path.size() < code.size()) {
    const std::string name = code[i].text.substr(0, code[i].text.find(' '));
    if (starts_with_one_of(name, {"nop", "cs", "endbr", "data16"}) ||
        name == "xchg" + std::string("%ax,%ax")) {
      ++i;
      continue;
    }
    path.push_back(code[i]);
    if (starts_with_one_of(name, {"ret", "ud2", "hlt"})) break;
    if (name == "jmp") {
      const auto next = std::find_if(code.begin(), code.end(), [&](const Instruction& other) {
        return code[i].target && other.address == *code[i].target;
      });
      if (next == code.end()) break;
      path.pop_back();  // costs next to nothing, and is no part of the chain
      i = static_cast<std::size_t>(next - code.begin());
      continue;
    }
    ++i;
  }
  return path;
}

Effects effects_of(const std::string& text) {
  std::istringstream words(text);
  std::string name;
  words >> name;
  while (name == "lock" || name == "notrack" || name == "bnd" || name == "rep") words >> name;
  std::string rest;
  std::getline(words, rest);
  rest = rest.substr(0, rest.find_first_of("#<"));
  Effects effects;
  effects.jumps = name[0] == 'j' || starts_with_one_of(name, {"call", "ret"});
  if (effects.jumps && rest.find('%') == std::string::npos) rest.clear();
  const std::vector<std::string> operands = operands_of(rest);

  const bool reads_only =
      starts_with_one_of(name, {"cmp", "test", "ucomis", "comis", "push", "prefetch"}) &&
      name.rfind("cmpxchg", 0) != 0;
  const bool bit_test = name == "bt" || name == "btl" || name == "btq" || name == "btw";
  const bool writes_only =
      starts_with_one_of(name, {"mov", "vmov", "lea", "set", "pop", "tzcnt", "lzcnt", "bsf", "bsr",
                                "cvt", "pshufd", "rdtsc"}) ||
      operands.size() == 3;
  const bool zeroes = operands.size() == 2 && operands[0] == operands[1] &&
                      starts_with_one_of(name, {"xor", "pxor", "sub"});
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const std::string& operand = operands[i];
    const bool destination = i + 1 == operands.size() && !reads_only && !bit_test && !effects.jumps;
    const bool exchanged = starts_with_one_of(name, {"xchg", "xadd"});
    const std::vector<std::string> registers = registers_in(operand);
    if (is_memory(operand)) {
      effects.memory = operand;
      effects.address = registers;
      add(effects.reads, registers);
      if (name.rfind("lea", 0) == 0 || name.rfind("nop", 0) == 0) {
        effects.memory.clear();
        continue;
      }
      effects.stores = destination;
      effects.loads = !destination || !writes_only;
      if (name.rfind("prefetch", 0) == 0) effects.loads = false;
    } else {
      if (!(destination && writes_only) && !zeroes) add(effects.reads, registers);
      if (destination || exchanged) add(effects.writes, registers);
    }
  }
  add_implied(name, operands.size(), effects);
  return effects;
}

}  // namespace hakmem::tools
