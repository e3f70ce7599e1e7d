// Where the libhakmem.so that belongs to this command is.
#pragma once

#include <filesystem>

namespace hakmem::tools {

// Beside the command (build tree), or in the library folder of the prefix it is installed in.
// Empty when neither is there.
std::filesystem::path own_library();

// The source tree that this command was built in; empty when it is not there any more.
std::filesystem::path source_tree();

// Whether the loader of this machine can preload `file`: a shared object for this processor.
bool is_loadable(const std::filesystem::path& file);

}  // namespace hakmem::tools
