// Large objects.
#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <vector>

#include "child.hpp"
#include "hakmem/arena/spans.hpp"
#include "hakmem/large/large.hpp"
#include "support/pattern.hpp"

namespace hakmem {
namespace {

const Environment kRoomy = {{"HAKMEM_ARENA_BYTES", "16G"},
                            {"HAKMEM_DIRTY_LIMIT", "100G"},
                            {"HAKMEM_PURGE_DELAY", "1000000000"}};

char* allocate(std::size_t size, std::size_t alignment = 16) {
  if (arena_count.load() == 0) {
    EXPECT_TRUE(arena_add(1));
  }
  const LargeObject object = large_allocate(size, alignment);
  EXPECT_NE(object.p, nullptr);
  return static_cast<char*>(object.p);
}

// The ids of an object: large, then interior to its end, and nothing of it behind.
void expect_ids(const char* p, std::size_t usable) {
  ASSERT_EQ(region_id_of(p), kRegionLarge);
  const std::size_t first = address_of(p) >> kRegionShift;
  const std::size_t last = (address_of(p) + usable - 1) >> kRegionShift;
  for (std::size_t region = first + 1; region <= last; ++region) {
    ASSERT_EQ(region_id_of(reinterpret_cast<char*>(region << kRegionShift)), kRegionInterior);
  }
  const std::size_t behind = align_up(address_of(p) + usable, kRegionBytes);
  ASSERT_NE(region_id_of(reinterpret_cast<char*>(behind)), kRegionInterior);
}

TEST(Large, AlignmentsUpToAGigabyte) {
  in_child(
      [] {
        for (std::size_t alignment = 1; alignment <= kMaxAlignment; alignment *= 2) {
          for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{40000},
                                         kRegionBytes, 3 * kRegionBytes + 5}) {
            char* p = allocate(size, alignment);
            ASSERT_EQ(address_of(p) % alignment, 0u);
            ASSERT_EQ(address_of(p) % kMinAlignment, 0u);
            const std::size_t usable = large_usable(p);
            ASSERT_GE(usable, std::max<std::size_t>(size, 1));
            ASSERT_LT(usable, size + kRegionBytes + 1);
            expect_ids(p, usable);
            p[0] = p[usable - 1] = 1;
            large_free(p);
            ASSERT_EQ(region_id_of(p), kRegionUnused);
            ASSERT_EQ(region_id_of(p + usable - 1), kRegionUnused);
          }
        }
        EXPECT_EQ(span_statistics().used, 0u);
      },
      kRoomy);
}

TEST(Large, ZeroMeansZero) {
  in_child(
      [] {
        std::mt19937 random(8);
        std::vector<char*> live;
        int zero = 0;
        int used = 0;
        ASSERT_TRUE(arena_add(1));
        for (int i = 0; i < 400; ++i) {
          const std::size_t size = 32769 + random() % 400000;
          const LargeObject object = large_allocate(size, 16);
          auto* p = static_cast<char*>(object.p);
          ASSERT_NE(p, nullptr);
          const std::size_t usable = large_usable(p);
          if (object.zero) {
            ASSERT_TRUE(pattern::is_zero(p, usable));
          }
          ++(object.zero ? zero : used);
          for (std::size_t at = 0; at < usable; at += 1000) p[at] = 'x';
          live.push_back(p);
          if (live.size() > random() % 20) {
            std::swap(live[random() % live.size()], live.back());
            large_free(live.back());
            live.pop_back();
          }
          if (i % 50 == 0) spans_purge_all();
        }
        EXPECT_GT(zero, 0);
        EXPECT_GT(used, 0);
      },
      kRoomy);
}

TEST(Large, StartsRotateWithinTheFirstPageAndTheSlack) {
  in_child(
      [] {
        std::set<std::size_t> starts;
        for (int i = 0; i < 64; ++i) starts.insert(address_of(allocate(40000)) % kRegionBytes);
        EXPECT_EQ(starts.size(), 64u);  // all lines of a page
        for (const std::size_t start : starts) {
          EXPECT_EQ(start % kCacheLine, 0u);
          EXPECT_LT(start, 4096u);
        }
        // No slack, no rotation; little slack, never more than that.
        for (std::size_t slack = 0; slack < 5000; slack += 37) {
          for (int i = 0; i < 8; ++i) {
            char* p = allocate(2 * kRegionBytes - slack);
            ASSERT_LE(address_of(p) % kRegionBytes, slack);
            ASSERT_LE(address_of(p) % kRegionBytes + large_usable(p), 2 * kRegionBytes);
            large_free(p);
          }
        }
        // Whoever asks for alignment beyond a line gets the region's start.
        EXPECT_EQ(address_of(allocate(40000, 128)) % kRegionBytes, 0u);
      },
      kRoomy);
}

TEST(Large, GoodSizeWastesNothing) {
  in_child(
      [] {
        for (std::size_t size = 32769; size < 700000; size += 4111) {
          const std::size_t good = large_good_size(size);
          ASSERT_GE(good, size);
          ASSERT_EQ(large_good_size(good), good);
          char* p = allocate(good);
          ASSERT_EQ(large_usable(p), good);
          large_free(p);
        }
      },
      kRoomy);
}

TEST(Large, ImpossibleSizes) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        for (const std::size_t size : {SIZE_MAX, SIZE_MAX - kRegionBytes, kMaxObjectBytes + 1,
                                       static_cast<std::size_t>(PTRDIFF_MAX)}) {
          EXPECT_EQ(large_allocate(size, 16).p, nullptr);
          EXPECT_EQ(large_allocate(size, kMaxAlignment).p, nullptr);
        }
        char* p = allocate(40000);
        EXPECT_FALSE(large_resize(p, SIZE_MAX));
        EXPECT_FALSE(large_resize(p, kMaxObjectBytes));
        expect_ids(p, large_usable(p));
        large_free(p);
        EXPECT_EQ(span_statistics().used, 0u);
      },
      kRoomy);
}

TEST(Large, ResizesInPlaceWhereThereIsRoom) {
  in_child(
      [] {
        char* p = allocate(100000);
        std::memset(p, 'p', 100000);
        ASSERT_TRUE(large_resize(p, 1000000));  // at the frontier
        EXPECT_GE(large_usable(p), 1000000u);
        expect_ids(p, large_usable(p));
        std::memset(p + 100000, 'p', 900000);
        char* wall = allocate(40000);
        EXPECT_FALSE(large_resize(p, 2000000));
        EXPECT_GE(large_usable(p), 1000000u);
        expect_ids(p, large_usable(p));

        ASSERT_TRUE(large_resize(p, 50000));
        EXPECT_LT(large_usable(p), 131072u);
        expect_ids(p, large_usable(p));
        EXPECT_EQ(region_id_of(p + 500000), kRegionUnused);
        ASSERT_TRUE(large_resize(p, 900000));  // what was given up is there again
        expect_ids(p, large_usable(p));
        ASSERT_TRUE(large_resize(p, 50000));
        char* q = allocate(500000);
        EXPECT_GT(q, p);
        EXPECT_LT(q, wall);  // the tail serves others
        EXPECT_FALSE(large_resize(p, 900000));
        EXPECT_TRUE(pattern::all_are(p, 50000, 'p'));
        for (char* object : {p, q, wall}) large_free(object);
        EXPECT_EQ(span_statistics().used, 0u);
      },
      kRoomy);
}

// Every size around the boundaries of regions, up and down.
TEST(Large, EveryResizeIsHonest) {
  in_child(
      [] {
        std::mt19937 random(9);
        for (int round = 0; round < 20; ++round) {
          char* p = allocate(12 * kRegionBytes);
          for (int i = 0; i < 50; ++i) {
            const std::size_t size =
                (1 + random() % 9) * kRegionBytes + random() % 200 - 100 + random() % 2 * 4096;
            ASSERT_TRUE(large_resize(p, size));
            ASSERT_GE(large_usable(p), size);
            ASSERT_LT(large_usable(p), size + kRegionBytes);
            expect_ids(p, large_usable(p));
            p[0] = p[large_usable(p) - 1] = 'x';
          }
          large_free(p);
        }
        EXPECT_EQ(span_statistics().used, 0u);
      },
      kRoomy);
}

// ---- growing ------------------------------------------------------------------------------------

constexpr std::size_t kMiB = std::size_t{1} << 20;

// As realloc does it, without the copy that is left to it.
char* grow(char* p, std::size_t size) {
  return large_resize(p, size) ? p : static_cast<char*>(large_move(p, size, nullptr));
}

// The object cannot grow where it is.
void wall_in(const char* p) {
  const std::size_t end = align_up(address_of(p) + large_usable(p), kRegionBytes);
  while (region_id_of(reinterpret_cast<void*>(end)) == kRegionUnused) allocate(40000);
}

TEST(LargeGrowing, IsCopiedOnceToWhereThereIsRoom) {
  in_child(
      [] {
        char* p = allocate(kMiB);
        wall_in(p);
        std::memset(p, 'p', kMiB);
        p = grow(p, 2 * kMiB);
        ASSERT_NE(arena_of(p), nullptr);
        EXPECT_TRUE(pattern::all_are(p, kMiB, 'p'));
        std::size_t size = 2 * kMiB;
        for (; size < 64 * kMiB; size += size / 3) {
          allocate(100000);  // leaves the room alone
          ASSERT_TRUE(large_resize(p, size)) << size;
          expect_ids(p, large_usable(p));
        }
        wall_in(p);
        char* moved = grow(p, 200 * kMiB);  // too large to copy
        ASSERT_NE(moved, nullptr);
        EXPECT_EQ(arena_of(moved), nullptr);
        EXPECT_TRUE(pattern::all_are(moved, kMiB, 'p'));
        large_free(moved);
      },
      kRoomy);
}

TEST(LargeGrowing, BySmallStepsIsNotCopiedAtEach) {
  in_child(
      [] {
        std::vector<char*> pool;
        for (int i = 0; i < 40; ++i) {
          pool.push_back(allocate(3 * kMiB));
          allocate(40000);
        }
        for (char* p : pool) large_free(p);
        char* p = allocate(kMiB);
        int copies = 0;
        for (std::size_t size = kMiB; arena_of(p) != nullptr; size += 2 * kRegionBytes) {
          ASSERT_LT(size, 3 * kMiB);
          wall_in(p);
          char* const before = p;
          p = grow(p, size);
          ASSERT_NE(p, nullptr);
          if (p != before && arena_of(p) != nullptr) ++copies;
        }
        EXPECT_EQ(copies, 1);
        large_free(p);
      },
      kRoomy);
}

TEST(LargeGrowing, NoRoomWhereLittleIsToBeUsed) {
  in_child(
      [] {
        char* p = allocate(kMiB);
        wall_in(p);
        EXPECT_EQ(arena_of(grow(p, 2 * kMiB)), nullptr);
      },
      {{"HAKMEM_PROFILE", "lean"}, {"HAKMEM_ARENA_BYTES", "4G"}});
}

TEST(LargeGrowing, SmallOnesAreLeftToTheCaller) {
  in_child(
      [] {
        char* p = allocate(kMiB / 2);
        wall_in(p);
        EXPECT_EQ(grow(p, kMiB), nullptr);
        large_free(p);
        p = allocate(kMiB);
        EXPECT_EQ(large_move(p, kMaxObjectBytes + 1, nullptr), nullptr);
        EXPECT_EQ(large_move(p, kMaxObjectBytes, nullptr), nullptr);
        expect_ids(p, large_usable(p));
      },
      kRoomy);
}

// What calloc gets that is dirty: cleared where it is resident, given back where it is not.
TEST(LargeClear, ReadsAsZeroEitherWay) {
  in_child(
      [] {
        for (const std::size_t touched : {std::size_t{0}, kMiB / 2, 8 * kMiB}) {
          char* p = allocate(8 * kMiB);
          std::memset(p, 'x', touched);
          p[8 * kMiB - 1] = 'x';
          large_free(p);
          const LargeObject again = large_allocate(8 * kMiB, 16);
          ASSERT_EQ(again.p, p);
          ASSERT_FALSE(again.zero);
          large_clear(p, 8 * kMiB);
          EXPECT_TRUE(pattern::is_zero(p, 8 * kMiB));
          large_free(p);
        }
      },
      kRoomy);
}

TEST(LargeFault, IntoTheMiddle) {
  for (const std::ptrdiff_t offset : {-16, 1, 16, 64, 8192}) {
    const Outcome o = run_in_child([offset] {
      static_cast<void>(allocate(40000));
      char* p = allocate(40000);  // the second start is not the region's
      large_free(p + offset);
    });
    EXPECT_TRUE(o.aborted());
    ASSERT_EQ(o.messages().size(), 1u);
    EXPECT_TRUE(o.messages()[0].starts_with(
        "hakmem: invalid pointer, into the middle of a large object: 0x"))
        << o.err;
  }
  expect_fatal("invalid pointer, into the middle of a large object: 0x",
               [] { static_cast<void>(large_usable(allocate(40000) + 1)); });
  expect_fatal("invalid pointer, into the middle of a large object: 0x",
               [] { static_cast<void>(large_resize(allocate(40000) + 1, 50000)); });
}

}  // namespace
}  // namespace hakmem
