// The built-in workloads: those of bench/, by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "command.hpp"

namespace hakmem::tools {

struct BuiltIn {
  std::string name;
  bool threaded;
  // Of Mixed alone.
  std::uint64_t working_set;
  std::uint64_t size_mask;
  std::string meaning;
};

const std::vector<BuiltIn>& built_in_workloads();

// Throws UsageError, with the names that there are.
const BuiltIn& workload_named(const std::string& name);

// The command that runs it for about so many operations.
Words command_of(const BuiltIn& workload, std::uint64_t operations, unsigned threads);

// The path of a program of bench/. Throws when the benchmarks are neither built nor installed.
std::string bench_program(const std::string& name);

}  // namespace hakmem::tools
