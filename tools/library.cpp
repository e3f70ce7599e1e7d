#include "library.hpp"

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include <cstring>
#include <fstream>

// The ELF header of the running command, which the linker provides.
extern "C" __attribute__((visibility("hidden"))) const ElfW(Ehdr) __ehdr_start;

namespace hakmem::tools {

namespace fs = std::filesystem;

fs::path own_library() {
  // Not /proc/self/exe: there are containers without /proc.
  const auto* started_as = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  if (started_as == nullptr) return {};
  std::error_code error;
  const fs::path folder = fs::canonical(started_as, error).parent_path();
  if (error) return {};
  for (const char* relative : {".", HAKMEM_BIN_TO_LIB}) {
    const fs::path candidate = folder / relative / HAKMEM_LIBRARY_NAME;
    if (fs::is_regular_file(candidate, error)) return candidate.lexically_normal();
  }
  return {};
}

fs::path source_tree() {
  std::error_code error;
  const fs::path tree = HAKMEM_SOURCE_TREE;
  return fs::is_regular_file(tree / "CMakePresets.json", error) ? tree : fs::path{};
}

bool is_loadable(const fs::path& file) {
  ElfW(Ehdr) header;
  std::ifstream stream(file, std::ios::binary);
  if (!stream.read(reinterpret_cast<char*>(&header), sizeof header)) return false;
  // Magic number, word size and byte order.
  return std::memcmp(header.e_ident, __ehdr_start.e_ident, EI_VERSION) == 0 &&
         header.e_machine == __ehdr_start.e_machine && header.e_type == ET_DYN;
}

}  // namespace hakmem::tools
