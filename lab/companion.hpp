// The programs and libraries that the lab starts and preloads: workers, the null allocator.
#pragma once

#include <filesystem>
#include <string>

namespace hakmem::lab {

// Beside the running program (build tree), or where `cmake --install` puts them. Throws
// std::runtime_error when it is in neither place.
std::filesystem::path companion(const std::string& file);

// The folder of the running program.
std::filesystem::path own_folder();

}  // namespace hakmem::lab
