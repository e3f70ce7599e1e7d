// What the tests of threads' shelves share.
#pragma once

#include "front_support.hpp"
#include "hakmem/large/large.hpp"

namespace hakmem {

inline constexpr std::size_t kRegion = kRegionBytes;
inline const Environment kBudget = {{"HAKMEM_CACHE_BUDGET", "8M"},
                                    {"HAKMEM_PURGE_DELAY", "1000000"}};
inline const Environment kShortDelay = {{"HAKMEM_CACHE_BUDGET", "8M"},
                                        {"HAKMEM_PURGE_DELAY", "20"}};

inline char* allocate(std::size_t size, std::size_t alignment = 16) {
  return static_cast<char*>(large_allocate(size, alignment).p);
}

inline Shelf& shelf() { return cache.thread->shelf; }

}  // namespace hakmem
