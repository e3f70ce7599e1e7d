#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdlib>

namespace bench {

// Reads a whole decimal number between `low` and `high`; false for anything else.
inline bool read_number(const char* text, std::uint64_t low, std::uint64_t high,
                        std::uint64_t* number) {
  if (*text < '0' || *text > '9') return false;
  char* end = nullptr;
  errno = 0;
  *number = std::strtoull(text, &end, 10);
  return errno == 0 && *end == '\0' && *number >= low && *number <= high;
}

}  // namespace bench
