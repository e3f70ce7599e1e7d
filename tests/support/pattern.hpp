// Content that tells whose it is: every 8-byte word depends on a seed and on its index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pattern {

inline std::uint64_t word(std::uint64_t seed, std::size_t index) {
  return (seed * 0x9e3779b97f4a7c15u) ^ (index * 0xc2b2ae3d27d4eb4fu) ^ 0x5bd1e995u;
}

// Writes all `size` bytes at `p`.
inline void fill(void* p, std::size_t size, std::uint64_t seed) {
  auto* bytes = static_cast<char*>(p);
  const std::size_t words = size / 8;
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint64_t w = word(seed, i);
    std::memcpy(bytes + i * 8, &w, 8);
  }
  const std::uint64_t last = word(seed, words);
  std::memcpy(bytes + words * 8, &last, size % 8);
}

// Whether the first `size` bytes at `p` are still those that fill(p, n >= size, seed) wrote.
inline bool holds(const void* p, std::size_t size, std::uint64_t seed) {
  const auto* bytes = static_cast<const char*>(p);
  const std::size_t words = size / 8;
  std::uint64_t difference = 0;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint64_t found;
    std::memcpy(&found, bytes + i * 8, 8);
    difference |= found ^ word(seed, i);
  }
  const std::uint64_t last = word(seed, words);
  return difference == 0 && std::memcmp(bytes + words * 8, &last, size % 8) == 0;
}

// Compares each byte with the next: at the speed of memcmp, also where loops are instrumented.
inline bool all_are(const void* p, std::size_t size, int value) {
  const auto* bytes = static_cast<const unsigned char*>(p);
  return size == 0 || (bytes[0] == static_cast<unsigned char>(value) &&
                       std::memcmp(bytes, bytes + 1, size - 1) == 0);
}

inline bool is_zero(const void* p, std::size_t size) { return all_are(p, size, 0); }

}  // namespace pattern
