#include "library.hpp"

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include <cstring>
#include <fstream>
#include <initializer_list>

// The ELF header of the running command, which the linker provides.
extern "C" __attribute__((visibility("hidden"))) const ElfW(Ehdr) __ehdr_start;

namespace hakmem::tools {

namespace fs = std::filesystem;

namespace {

fs::path find(const std::string& name, std::initializer_list<const char*> folders) {
  // Not /proc/self/exe: there are containers without /proc.
  const auto* started_as = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  if (started_as == nullptr) return {};
  std::error_code error;
  const fs::path own_folder = fs::canonical(started_as, error).parent_path();
  if (error) return {};
  for (const char* relative : folders) {
    const fs::path candidate = own_folder / relative / name;
    if (fs::is_regular_file(candidate, error)) return candidate.lexically_normal();
  }
  return {};
}

}  // namespace

fs::path own_library() { return find(HAKMEM_LIBRARY_NAME, {".", HAKMEM_BIN_TO_LIB}); }

fs::path own_helper(const std::string& name) { return find(name, {".", HAKMEM_BIN_TO_HELPERS}); }

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
