// Size classes: which sizes of objects there are, and how a slab of each is laid out.
//
//   class  0..7     16 B apart up to 128
//   class  8..43    four a doubling up to 64 KiB
//   class 44..47    two a doubling up to 256 KiB: long objects
//   class 48..53    powers of two from 128 B to 4 KiB, each object aligned to its size:
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

inline constexpr unsigned kFirstLongClass = 44;
inline constexpr unsigned kOrdinaryClasses = 48;
inline constexpr unsigned kAlignedClasses = 6;
inline constexpr unsigned kClasses = kOrdinaryClasses + kAlignedClasses;
inline constexpr unsigned kSlots = (kClasses + 3) / 4 * 8;

inline constexpr std::size_t kMaxTiny = 1024;
inline constexpr std::size_t kMaxShort = 65536;
inline constexpr std::size_t kMaxSmall = 262144;
inline constexpr std::size_t kLeastAlignedClass = 128;
inline constexpr unsigned kBands = 8;
inline constexpr unsigned kFirstC7Class = 16;
inline constexpr unsigned kLastC7Class = 19;

constexpr unsigned slot_of_class(unsigned c) { return c / 4 * 8 + c % 4; }
constexpr unsigned class_of_slot(unsigned slot) { return slot / 8 * 4 + slot % 4; }

inline constexpr unsigned kReciprocalShift = 40;
// Starts of long objects differ within a page: so what is used again is the pages that were.
inline constexpr std::size_t kLongColours = 4096 / kCacheLine;

struct SizeClass {
  std::uint32_t size;        // bytes of an object
  std::uint8_t regions;      // of a slab, at most
  std::uint8_t slot;         // in the cache and in region ids
  std::uint16_t capacity;    // objects of such a slab
  std::uint16_t words;       // of its bitmap
  std::uint16_t reserved;    // bytes of a slab that are kept for its colour
  std::uint64_t reciprocal;  // ceil(2^40 / size): exact for every offset within a slab

  constexpr bool is_long() const { return size > kMaxShort; }

  // The objects of a slab of so many regions.
  constexpr unsigned capacity_of(std::size_t of_regions) const {
    return static_cast<unsigned>((of_regions * kRegionBytes - reserved) * reciprocal >>
                                 kReciprocalShift);
  }

  // The regions of a slab of so many long objects: one alone needs no colour.
  constexpr unsigned regions_of(std::size_t objects) const {
    const std::size_t colours = objects > 1 ? (kLongColours - 1) * kCacheLine : 0;
    return static_cast<unsigned>((objects * size + colours + kRegionBytes - 1) / kRegionBytes);
  }

  // Starts of the first object of a slab of so many regions, 64 B apart. A byte holds each.
  constexpr unsigned colours(std::size_t of_regions) const {
    const std::size_t spare =
        of_regions * kRegionBytes - capacity_of(of_regions) * std::size_t{size};
    const std::size_t most = is_long() ? kLongColours : 256;
    return static_cast<unsigned>(spare / kCacheLine < most ? spare / kCacheLine + 1 : most);
  }
};

namespace detail {

constexpr std::uint32_t size_of_class(unsigned c) {
  if (c < 8) return 16 * (c + 1);
  if (c < kOrdinaryClasses) {
    const bool is_long = c >= kFirstLongClass;
    const unsigned steps = is_long ? 2 : 4;  // a doubling
    const unsigned n = c - (is_long ? kFirstLongClass : 8);
    const std::uint32_t base = (is_long ? std::uint32_t{kMaxShort} : 128u) << n / steps;
    return base + base / steps * (n % steps + 1);
  }
  return static_cast<std::uint32_t>(kLeastAlignedClass << (c - kOrdinaryClasses));
}

// Without a colour the first objects of all slabs would share a few sets of the L1 cache. Up to
// this object size some objects of a slab are given up for it where its slack is less. Above it the
// powers of two fill their slabs, and so are aligned to their size; not so if they are long.
constexpr std::uint32_t kColouredUpTo = 4096;
constexpr std::uint16_t kLeastColourBytes = 960;

constexpr SizeClass make_class(unsigned c) {
  SizeClass k{};
  k.size = size_of_class(c);
  k.slot = static_cast<std::uint8_t>(slot_of_class(c));
  k.reciprocal = ((std::uint64_t{1} << kReciprocalShift) + k.size - 1) / k.size;
  k.regions = k.size <= 1024 ? 1 : k.size <= 4096 ? 2 : k.size <= 16384 ? 4 : 8;
  if (k.is_long()) k.regions = static_cast<std::uint8_t>(k.regions_of(8 * kRegionBytes / k.size));
  const bool coloured = c < kOrdinaryClasses && k.size <= kColouredUpTo;
  k.reserved = coloured ? kLeastColourBytes : 0;
  k.capacity = static_cast<std::uint16_t>(k.capacity_of(k.regions));
  k.words = static_cast<std::uint16_t>((k.capacity + 63) / 64);
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
  const bool is_long = size > kMaxShort;
  const unsigned first = is_long ? kFirstLongClass + (doubling - 9) * 2 : 8 + doubling * 4;
  const std::size_t above = size - 1 - (std::size_t{128} << doubling);
  return first + static_cast<unsigned>(above >> (doubling + (is_long ? 6 : 5)));
}

// The class for an alignment (a power of two); kClasses when only a span will do.
constexpr unsigned class_of_aligned(std::size_t size, std::size_t alignment) {
  if (size > kMaxSmall || alignment > kMaxShort) return kClasses;
  if (alignment <= kMinAlignment) return class_of_size(size);
  if (alignment <= kCacheLine) {
    // Slabs start on a cache line, colour included: a multiple of the alignment will do.
    for (unsigned c = class_of_size(align_up(size == 0 ? 1 : size, alignment));
         c < kOrdinaryClasses; ++c) {
      if (kSizeClasses[c].size % alignment == 0) return c;
    }
  }
  const std::size_t least = std::bit_ceil(size > alignment ? size : alignment);
  if (least > kMaxShort) return kClasses;
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
