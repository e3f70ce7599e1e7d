// A second witness that no noise can reach: how many instructions are executed.
#pragma once

#include <string>
#include <vector>

#include "lab/side.hpp"
#include "lab/workload.hpp"

namespace hakmem::lab {

// Whether valgrind, which counts them, is installed.
bool can_count_instructions();

// Of one operation of Mixed: two runs of different length are subtracted.
double instructions_of_mixed(const Allocator& allocator, const Workload& workload);

// Of one whole run of a command.
double instructions_of(const Allocator& allocator, const std::vector<std::string>& command);

}  // namespace hakmem::lab
