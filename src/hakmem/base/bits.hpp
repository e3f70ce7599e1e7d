// Arithmetic on powers of two and on words of bits.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace hakmem {

constexpr bool is_power_of_two(std::size_t x) { return std::has_single_bit(x); }

// `to` is a power of two. Wraps around like any unsigned sum: callers bound `x` first.
constexpr std::size_t align_up(std::size_t x, std::size_t to) { return (x + to - 1) & ~(to - 1); }
constexpr std::size_t align_down(std::size_t x, std::size_t to) { return x & ~(to - 1); }

constexpr unsigned lowest_bit(std::uint64_t word) { return unsigned(std::countr_zero(word)); }
constexpr unsigned count_bits(std::uint64_t word) { return unsigned(std::popcount(word)); }

inline std::uintptr_t address_of(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

}  // namespace hakmem
