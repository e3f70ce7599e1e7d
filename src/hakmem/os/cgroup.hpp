// What the process's control groups grant (cgroup v2, v1, or both).
#pragma once

#include <cstddef>

namespace hakmem::os {

// The least of memory.max and memory.high (v2) and memory.limit_in_bytes (v1, below `root`/memory)
// of the process's group and the groups above it, in bytes, as far as they can be read; SIZE_MAX:
// no limit is seen. Some dozen system calls; errno is left alone. The arguments are for tests.
std::size_t cgroup_memory_limit(const char* membership = "/proc/self/cgroup",
                                const char* root = "/sys/fs/cgroup");

}  // namespace hakmem::os
