// The table of size classes, exhaustively.
#include <set>

#include "child.hpp"
#include "hakmem/front/fast_path.hpp"
#include "hakmem/slab/slab.hpp"
#include "size_class_support.hpp"

namespace hakmem {
namespace {

unsigned naive_class(std::size_t size) {
  unsigned c = 0;
  while (kSizeClasses[c].size < size) ++c;
  return c;
}

TEST(SizeClasses, EverySizeMapsToTheSmallestSufficientClass) {
  for (std::size_t size = 0; size <= kMaxSmall; ++size) {
    const unsigned c = class_of_size(size);
    ASSERT_LT(c, kOrdinaryClasses);
    ASSERT_EQ(c, naive_class(size)) << size;
    ASSERT_GE(2 * size + 16, kSizeClasses[c].size);  // no size pays for twice its need
  }
}

TEST(SizeClasses, RoutesAgreeWithTheTable) {
  for (std::size_t size = 0; size <= kMaxTiny; ++size) {
    ASSERT_EQ(kTinyRoute[(size + kTinyStep - 1) / kTinyStep], slot_of_class(class_of_size(size)));
  }
  for (std::size_t size = kMaxTiny + 1; size <= kMaxSmall; ++size) {
    ASSERT_EQ(kSmallRoute[(size + kSmallStep - 1) / kSmallStep], slot_of_class(class_of_size(size)))
        << size;
  }
}

TEST(SizeClasses, AscendWithinEachFamily) {
  for (unsigned c = 1; c < kClasses; ++c) {
    if (c != kOrdinaryClasses) {
      EXPECT_LT(kSizeClasses[c - 1].size, kSizeClasses[c].size);
    }
    EXPECT_EQ(kSizeClasses[c].size % kMinAlignment, 0u);
  }
  EXPECT_EQ(kSizeClasses[kOrdinaryClasses - 1].size, kMaxSmall);
  // Above the second family the first does what it would.
  const std::size_t largest_aligned = kSizeClasses[kClasses - 1].size;
  for (std::size_t size = 2 * largest_aligned; size <= kMaxShort; size *= 2) {
    const SizeClass& k = kSizeClasses[class_of_size(size)];
    EXPECT_EQ(k.size, size);
    for (const unsigned regions : slab_lengths(k)) EXPECT_EQ(k.colours(regions), 1u);
  }
}

TEST(SizeClasses, SlotsAreTheirOwn) {
  std::set<unsigned> words;
  for (unsigned c = 0; c < kClasses; ++c) {
    const unsigned slot = slot_of_class(c);
    EXPECT_EQ(class_of_slot(slot), c);
    EXPECT_EQ(kSizeClasses[c].slot, slot);
    EXPECT_TRUE(words.insert(slot).second);           // the top's word
    EXPECT_TRUE(words.insert(slot + kLimit).second);  // the limit's
    EXPECT_LT(slot + kLimit, kSlots);
  }
}

TEST(SizeClasses, SlabsAreFilledWithinTheirBounds) {
  for (unsigned c = 0; c < kClasses; ++c) {
    const SizeClass& k = kSizeClasses[c];
    EXPECT_LE(k.regions, k.is_long() ? 9 : 8);
    EXPECT_GE(k.capacity, k.size <= 32768 ? 16u : k.is_long() ? 2u : 8u);
    EXPECT_LE(k.capacity, kMaxWords * 64);
    EXPECT_EQ(k.words, (k.capacity + 63) / 64);
    EXPECT_LE(k.words, kMaxWords);
    EXPECT_EQ(k.capacity, k.capacity_of(k.regions));
    EXPECT_EQ(slab_lengths(k).back(), k.regions);
    for (const unsigned regions : slab_lengths(k)) {
      SCOPED_TRACE(testing::Message() << k.size << ", regions: " << regions);
      const std::size_t bytes = regions * kRegionBytes;
      const std::size_t used = std::size_t{k.capacity_of(regions)} * k.size;
      const std::size_t colours = k.colours(regions);
      EXPECT_GE(k.capacity_of(regions), 1u);
      EXPECT_LE(used + (colours - 1) * kCacheLine, bytes);  // every colour has room
      // And there are no more of them, or of those that a byte, or a page, holds.
      EXPECT_TRUE(used + colours * kCacheLine > bytes || colours == (k.is_long() ? 64 : 256))
          << colours;
      // What is given up for colours is bounded.
      EXPECT_LT(bytes - used, k.size + 960u + kCacheLine);
      if (c >= kOrdinaryClasses) {
        EXPECT_EQ(colours, 1u);
      }
      if (c < kOrdinaryClasses && k.size <= 4096) {
        EXPECT_GE(colours, 16u);
      }
      if (k.is_long() && k.capacity_of(regions) > 1) {
        EXPECT_EQ(colours, 64u);
      }
    }
  }
}

// Every offset into every slab.
TEST(SizeClasses, ReciprocalDividesExactly) {
  for (const SizeClass& k : kSizeClasses) {
    const std::uint64_t bytes = k.regions * kRegionBytes;
    std::uint64_t index = 0;
    std::uint64_t next = k.size;
    for (std::uint64_t offset = 0; offset < bytes; ++offset) {
      if (offset == next) {
        ++index;
        next += k.size;
      }
      if (offset * k.reciprocal >> kReciprocalShift != index) {
        FAIL() << "size " << k.size << " offset " << offset;
      }
    }
  }
}

TEST(SizeClasses, AlignedRequests) {
  for (std::size_t alignment = 1; alignment <= (std::size_t{1} << 20); alignment *= 2) {
    for (std::size_t size = 0; size <= kMaxSmall + 1; ++size) {
      const unsigned c = class_of_aligned(size, alignment);
      // Long objects start at a colour.
      const bool is_long = alignment > kCacheLine && size > kMaxShort;
      if (size > kMaxSmall || alignment > kMaxShort || is_long) {
        ASSERT_EQ(c, kClasses);
        continue;
      }
      ASSERT_LT(c, kClasses);
      const SizeClass& k = kSizeClasses[c];
      ASSERT_GE(k.size, size);
      // Slabs are aligned to a region, and objects start at a colour, a multiple of 64.
      ASSERT_EQ(k.size % alignment, 0u) << size << " " << alignment;
      if (alignment > kCacheLine) {
        ASSERT_EQ(k.colours(1), 1u);
        ASSERT_EQ(k.colours(k.regions), 1u);
      }
      if (alignment <= kMinAlignment) {
        ASSERT_EQ(c, class_of_size(size));
      }
      // No smaller class of the families would do.
      if (c != 0 && c != kOrdinaryClasses) {
        const SizeClass& smaller = kSizeClasses[c - 1];
        const bool aligned =
            smaller.size % alignment == 0 && (alignment <= kCacheLine || smaller.colours(1) == 1);
        ASSERT_TRUE(smaller.size < size || !aligned) << size << " " << alignment;
      }
    }
  }
}

TEST(SizeClasses, Bands) {
  const std::size_t last[kBands] = {16, 32, 64, 128, 256, 384, 512, 1024};
  for (std::size_t size = 1; size <= kMaxTiny; ++size) {
    unsigned band = 0;
    while (size > last[band]) ++band;
    ASSERT_EQ(band_of_class(class_of_size(size)), band) << size;
  }
  for (std::size_t size = kMaxTiny + 1; size <= kMaxSmall; ++size) {
    ASSERT_EQ(band_of_class(class_of_size(size)), kBands);
  }
  for (unsigned c = 0; c < kOrdinaryClasses; ++c) {
    EXPECT_EQ(band_of_class(c) == 7, c >= kFirstC7Class && c <= kLastC7Class);
  }
}

}  // namespace
}  // namespace hakmem
