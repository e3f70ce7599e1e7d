// The end of a program whose heap was misused: one line on stderr, then abort.
#pragma once

#include <cstddef>

namespace hakmem {

// "hakmem: WHAT 0x... (64-byte object)"; the size is left out when it is 0.
[[noreturn]] void fatal_pointer(const char* what, const void* p, std::size_t object_bytes = 0);

// Called before abort, if set: the library lets go of what a handler of SIGABRT may need.
using AbortHook = void();
extern constinit AbortHook* before_abort;

// "hakmem: WHAT".
[[noreturn]] void fatal(const char* what);

}  // namespace hakmem
