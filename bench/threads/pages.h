// Memory for the bookkeeping of a workload: from the system, so that it is the same under every
// allocator.
#pragma once

#include <sys/mman.h>

#include <cstddef>

#include "fault.h"

namespace bench {

// Zeroed, for the life of the process.
template <class T>
T* map_zeroed(std::size_t count) {
  constexpr std::size_t kSize =
      sizeof(T);  // NOLINT(bugprone-sizeof-expression): T may be a pointer
  void* pages =
      mmap(nullptr, count * kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) fault("mmap failed");
  return static_cast<T*>(pages);
}

}  // namespace bench
