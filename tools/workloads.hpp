// The built-in workloads as the command line names them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/workload.hpp"

namespace hakmem::tools {

// "mixed", "mixed-64k" and "mixed-1m" run in one thread, the others in `threads` (0: one for each
// CPU, at least 2); "mixed" with threads is the threaded one. Throws UsageError with the names.
lab::Workload workload_named(const std::string& name, unsigned threads);

// All the names, for --help.
std::string workload_names();

// The name on the command line: "mixed-64k", "larson", ...
std::string short_name(const lab::Workload& workload);

// About as many operations as take so long.
std::uint64_t operations_in(const lab::Workload& workload, double seconds);

// The command that runs it once, for about so many operations, and prints what it measured.
std::vector<std::string> command_of(const lab::Workload& workload, std::uint64_t operations);

}  // namespace hakmem::tools
