// How much of its work a long test does: under a sanitizer, an emulator or at a further page size a
// share of what it does in the release build, as HAKMEM_TEST_SHARE=N says (one in N).
#pragma once

#include <algorithm>
#include <cstdlib>

inline unsigned test_share() {
  const char* const value = std::getenv("HAKMEM_TEST_SHARE");
  return value == nullptr ? 1 : static_cast<unsigned>(std::max(std::atoi(value), 1));
}

// So many of `all` steps, at least one.
inline int share_of(int all) { return std::max(all / static_cast<int>(test_share()), 1); }
