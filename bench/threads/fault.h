#pragma once

namespace bench {

constexpr int kFaultExitCode = 3;

// Says on stderr what the allocator (or the system) did wrong and ends the process.
[[noreturn]] void fault(const char* what);

}  // namespace bench
