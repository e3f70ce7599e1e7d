// What the tests of spans share.
#pragma once

#include <cstring>
#include <vector>

#include "child.hpp"
#include "hakmem/arena/spans.hpp"
#include "support/pattern.hpp"
#include "support/share.hpp"

namespace hakmem {

// No purge comes by time or amount.
inline const Environment kNeverPurge = {{"HAKMEM_ARENA_BYTES", "8G"},
                                        {"HAKMEM_PURGE_DELAY", "1000000000"},
                                        {"HAKMEM_DIRTY_LIMIT", "100G"}};

inline std::size_t bytes_of(const Descriptor* span) {
  return std::size_t{span->regions} << kRegionShift;
}

// Marks each page of a span as used.
inline void scribble(Descriptor* span) {
  for (std::size_t i = 0; i < bytes_of(span); i += 4096) memory_of(span)[i + i / 4096 % 4096] = 'x';
}

inline Descriptor* take(std::size_t regions, std::size_t alignment = 1) {
  Descriptor* span = span_allocate(regions, alignment).head;
  EXPECT_NE(span, nullptr);
  scribble(span);
  return span;
}

}  // namespace hakmem
