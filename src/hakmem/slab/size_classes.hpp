// Size classes: which sizes of objects there are, and how a slab of each is laid out.
//
//   class  0..7     16 B apart up to 128
//   class  8..43    four a doubling up to 64 KiB
//   class 44..49    powers of two from 128 B to 4 KiB, each object aligned to its size:
//                   the second family, for alignments above 64
//
// A class is known to the fast path by its *slot*, the place of its two words in the thread's
// cache, whose lines hold four tops and then four limits: 0..3, 8..11, 16..19, ...
#pragma once

#include <array>

#include "hakmem/arena/region_map.hpp"
#include "hakmem/base/bits.hpp"
#include "hakmem/base/platform.hpp"

namespace hakmem {

inline constexpr unsigned kOrdinaryClasses = 44;
inline constexpr unsigned kAlignedClasses = 6;
inline constexpr unsigned kClasses = kOrdinaryClasses + kAlignedClasses;
inline constexpr unsigned kSlots = (kClasses + 3) / 4 * 8;

inline constexpr std::size_t kMaxTiny = 1024;
inline constexpr std::size_t kMaxSmall = 65536;
inline constexpr std::size_t kLeastAlignedClass = 128;
inline constexpr unsigned kBands = 8;
inline constexpr unsigned kFirstC7Class = 16;
inline constexpr unsigned kLastC7Class = 19;

constexpr unsigned slot_of_class(unsigned c) { return c / 4 * 8 + c % 4; }
constexpr unsigned class_of_slot(unsigned slot) { return slot / 8 * 4 + slot % 4; }

inline constexpr unsigned kSlabLengths = 4;

struct SizeClass {
  std::uint32_t size;                      // bytes of an object
  std::uint8_t regions;                    // of a slab, at most: 1, 2, 4 or 8
  std::uint8_t slot;                       // in the cache and in region ids
  std::uint16_t capacity;                  // objects of such a slab
  std::uint16_t words;                     // of its bitmap
  std::uint16_t capacities[kSlabLengths];  // objects of a slab of 1, 2, 4 and 8 regions
  std::uint64_t reciprocal;  // ceil(2^40 / size): exact for every offset within a slab

  // Starts of the first object of a slab of so many regions, 64 B apart. A byte holds each.
  constexpr unsigned colours(std::size_t of_regions) const {
    const std::size_t objects = capacities[lowest_bit(of_regions) % kSlabLengths];
    const std::size_t spare = of_regions * kRegionBytes - objects * size;
    return static_cast<unsigned>(spare / kCacheLine < 256 ? spare / kCacheLine + 1 : 256);
  }
};
inline constexpr unsigned kReciprocalShift = 40;

namespace detail {

constexpr std::uint32_t size_of_class(unsigned c) {
  if (c < 8) return 16 * (c + 1);
  if (c < kOrdinaryClasses) {
    const unsigned doubling = (c - 8) / 4;
    return (128u << doubling) + (32u << doubling) * ((c - 8) % 4 + 1);
  }
  return static_cast<std::uint32_t>(kLeastAlignedClass << (c - kOrdinaryClasses));
}

// Without a colour the first objects of all slabs would share a few sets of the L1 cache. Up to
// this object size some objects of a slab are given up for it where its slack is less. Above it the
// powers of two fill their slabs, and so are aligned to their size.
constexpr std::uint32_t kColouredUpTo = 4096;
constexpr std::uint32_t kLeastColourBytes = 960;

constexpr SizeClass make_class(unsigned c) {
  SizeClass k{};
  k.size = size_of_class(c);
  k.slot = static_cast<std::uint8_t>(slot_of_class(c));
  k.regions = k.size <= 1024 ? 1 : k.size <= 4096 ? 2 : k.size <= 16384 ? 4 : 8;
  const bool coloured = c < kOrdinaryClasses && k.size <= kColouredUpTo;
  const std::uint32_t reserved = coloured ? kLeastColourBytes : 0;
  for (unsigned i = 0; i < kSlabLengths; ++i) {
    const auto slab_bytes = static_cast<std::uint32_t>(kRegionBytes << i);
    k.capacities[i] = static_cast<std::uint16_t>((slab_bytes - reserved) / k.size);
  }
  k.capacity = k.capacities[lowest_bit(k.regions)];
  k.words = static_cast<std::uint16_t>((k.capacity + 63) / 64);
  k.reciprocal = ((std::uint64_t{1} << kReciprocalShift) + k.size - 1) / k.size;
  return k;
}

}  // namespace detail

inline constexpr std::array<SizeClass, kClasses> kSizeClasses = [] {
  std::array<SizeClass, kClasses> table{};
  for (unsigned c = 0; c < kClasses; ++c) table[c] = detail::make_class(c);
  return table;
}();

// The same by slot, for paths that start from a region id.
inline constexpr std::array<SizeClass, kSlots> kSlotClasses = [] {
  std::array<SizeClass, kSlots> table{};
  for (const SizeClass& k : kSizeClasses) table[k.slot] = k;
  return table;
}();

// The class of an object of `size` bytes, 1 <= size <= kMaxSmall; size 0 counts as 1.
constexpr unsigned class_of_size(std::size_t size) {
  if (size <= 128) return size == 0 ? 0 : static_cast<unsigned>((size - 1) / 16);
  const auto doubling = static_cast<unsigned>(std::bit_width(size - 1)) - 8;
  return 8 + doubling * 4 +
         static_cast<unsigned>((size - 1 - (std::size_t{128} << doubling)) >> (5 + doubling));
}

// The class for an alignment (a power of two); kClasses when only a span will do.
constexpr unsigned class_of_aligned(std::size_t size, std::size_t alignment) {
  if (size > kMaxSmall || alignment > kMaxSmall) return kClasses;
  if (alignment <= kMinAlignment) return class_of_size(size);
  if (alignment <= kCacheLine) {
    // Slabs start on a cache line, colour included: a multiple of the alignment will do.
    for (unsigned c = class_of_size(align_up(size == 0 ? 1 : size, alignment));
         c < kOrdinaryClasses; ++c) {
      if (kSizeClasses[c].size % alignment == 0) return c;
    }
  }
  const std::size_t least = std::bit_ceil(size > alignment ? size : alignment);
  if (least > detail::kColouredUpTo) return class_of_size(least);
  return kOrdinaryClasses + static_cast<unsigned>(std::countr_zero(least)) -
         static_cast<unsigned>(std::countr_zero(kLeastAlignedClass));
}

// The band C0..C7 of a class, by which statistics sum those up to 1024 B; kBands for larger ones.
constexpr unsigned band_of_class(unsigned c) {
  const std::uint32_t size = kSizeClasses[c].size;
  if (size > kMaxTiny) return kBands;
  if (size > 512) return 7;
  if (size > 384) return 6;
  if (size > 256) return 5;
  return size <= 16 ? 0 : static_cast<unsigned>(std::bit_width(size - 1)) - 4;
}

}  // namespace hakmem
