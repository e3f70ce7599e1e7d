// What the tests of spans share.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "child.hpp"
#include "hakmem/arena/spans.hpp"
#include "support/share.hpp"

namespace hakmem {

inline bool is_zero(const char* p, std::size_t bytes) {
  const auto* words = reinterpret_cast<const std::uint64_t*>(p);
  return std::all_of(words, words + bytes / 8, [](std::uint64_t word) { return word == 0; });
}

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
