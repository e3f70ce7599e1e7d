// Where and with what something was measured.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace hakmem::lab {

// Processor, CPUs, memory, kernel, whether it is a virtual machine, load at this moment.
nlohmann::ordered_json describe_machine();

// SHA-256 of a file, in hexadecimal.
std::string hash_of(const std::string& path);

// 2026-01-31
std::string today();

}  // namespace hakmem::lab
