#include "lab/companion.hpp"

#include <stdexcept>

namespace hakmem::lab {

namespace fs = std::filesystem;

fs::path own_folder() { return fs::read_symlink("/proc/self/exe").parent_path(); }

fs::path companion(const std::string& file) {
  for (const char* relative : {".", HAKMEM_BIN_TO_LIBEXEC, HAKMEM_BIN_TO_LIB}) {
    const fs::path candidate = own_folder() / relative / file;
    if (fs::exists(candidate)) return candidate.lexically_normal();
  }
  throw std::runtime_error(file + " is missing beside this program; build the target 'all'");
}

}  // namespace hakmem::lab
