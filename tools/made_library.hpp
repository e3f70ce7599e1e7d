// Builds of libhakmem.so that a subcommand wants, made from the source tree when they are asked for
// and kept under build/.
#pragma once

#include <string>

namespace hakmem::tools {

enum class Made {
  outlined,   // the lab flavour with the boundaries as functions, debug information, frame pointers
  annotated,  // the release flavour, the same code, with debug information
};

// The path of the library. Empty, with the reason in `why`, where there is no source tree or it
// cannot be built.
std::string made_library(Made kind, std::string& why);

}  // namespace hakmem::tools
