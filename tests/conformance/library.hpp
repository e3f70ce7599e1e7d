// What glibc's headers do not declare, and how to tell that the library under test is in use.
#pragma once

#include <malloc.h>

#include <cstddef>
#include <cstdint>

extern "C" {
void cfree(void* p) noexcept;
void free_sized(void* p, std::size_t size) noexcept;
void free_aligned_sized(void* p, std::size_t alignment, std::size_t size) noexcept;
}

inline constexpr std::size_t kMiB = 1u << 20;

inline bool aligned_to(const void* p, std::size_t alignment) {
  return (reinterpret_cast<std::uintptr_t>(p) & (alignment - 1)) == 0;
}
