// Where the libhakmem.so that belongs to this command is.
#pragma once

#include <filesystem>
#include <string>

namespace hakmem::tools {

// Beside the command (build tree), or in the library folder of the prefix it is installed in.
// Empty when neither is there.
std::filesystem::path own_library();

// A program or library that a subcommand needs, beside the command or where both are installed.
// Empty when it is not there.
std::filesystem::path own_helper(const std::string& name);

// The source tree that this command was built in; empty when it is not there any more.
std::filesystem::path source_tree();

// Whether the loader of this machine can preload `file`: a shared object for this processor.
bool is_loadable(const std::filesystem::path& file);

}  // namespace hakmem::tools
