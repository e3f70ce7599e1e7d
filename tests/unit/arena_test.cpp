// arena/arena.cpp and region_map.hpp: reservation, ids, descriptors, guards, further arenas.
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

#include "child.hpp"
#include "hakmem/arena/arena.hpp"
#include "hakmem/arena/spans.hpp"
#include "hakmem/os/memory.hpp"
#include "probe.hpp"
#include "support/pattern.hpp"

namespace hakmem {
namespace {

const Environment kSmall = {{"HAKMEM_ARENA_BYTES", "16M"}, {"HAKMEM_COMMIT_STEP", "1M"}};
constexpr std::size_t kSmallRegions = (std::size_t{16} << 20) / kRegionBytes;

// The descriptor of a region, made the head of a span.
Descriptor* span_at(std::size_t arena, std::size_t region, std::uint32_t regions) {
  Descriptor* head = arenas[arena].descriptor(region);
  head->arena = static_cast<std::uint8_t>(arena);
  head->regions = regions;
  return head;
}

TEST(RegionMap, OutsideBeforeThereIsAnArena) {
  const int here = 0;
  EXPECT_EQ(region_id_of(nullptr), kRegionUnused);
  EXPECT_EQ(region_id_of(&here), kRegionUnused);
  EXPECT_EQ(region_id_of(reinterpret_cast<void*>(UINTPTR_MAX)), kRegionUnused);
  EXPECT_EQ(region_id_anywhere(&here), kRegionUnused);
  EXPECT_EQ(arena_of(&here), nullptr);
}

TEST(RegionMap, TagsAndOwners) {
  for (std::uint32_t owner = 1; owner < kMaxOwner; owner = owner * 3 + 1) {
    for (unsigned slot = 0; slot < 256; ++slot) {
      const RegionId id = tag_of_owner(owner) | slot;
      ASSERT_EQ(owner_of(id), owner);
      ASSERT_EQ(slot_of(id), slot);
      ASSERT_EQ(id ^ tag_of_owner(owner), slot);
      ASSERT_GE(id ^ kUnmatchableTag, 256u);  // matches no thread without a heap
    }
    for (const RegionId nobodys : {kRegionUnused, kRegionLarge, kRegionInterior}) {
      ASSERT_EQ(owner_of(nobodys), 0u);
      ASSERT_GE(nobodys ^ tag_of_owner(owner), 256u);
      ASSERT_GE(nobodys ^ kUnmatchableTag, 256u);
    }
  }
  EXPECT_LT(tag_of_owner(kMaxOwner) | 255u, kUnmatchableTag);
}

TEST(ArenaTest, WindowEdges) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        const Arena& arena = arenas[0];
        ASSERT_EQ(arena_count.load(), 1u);
        ASSERT_EQ(arena.regions, kSmallRegions);
        ASSERT_TRUE(arena_advance(arenas[0], arena.regions));
        EXPECT_EQ(address_of(arena.base) % (std::size_t{2} << 20), 0u);
        arena.id(0).store(tag_of_owner(5) | 1);
        arena.id(arena.regions - 1).store(tag_of_owner(6) | 2);
        const char* end = arena.base + (arena.regions << kRegionShift);
        const struct {
          const char* p;
          RegionId id;
          bool inside;
        } points[] = {{arena.base - 1, kRegionUnused, false},
                      {arena.base, tag_of_owner(5) | 1, true},
                      {arena.base + kRegionBytes - 1, tag_of_owner(5) | 1, true},
                      {arena.base + kRegionBytes, kRegionUnused, true},
                      {end - kRegionBytes - 1, kRegionUnused, true},
                      {end - kRegionBytes, tag_of_owner(6) | 2, true},
                      {end - 1, tag_of_owner(6) | 2, true},
                      {end, kRegionUnused, false},
                      {nullptr, kRegionUnused, false},
                      {reinterpret_cast<char*>(UINTPTR_MAX), kRegionUnused, false},
                      {reinterpret_cast<char*>(std::uintptr_t{1} << 63), kRegionUnused, false}};
        for (const auto& point : points) {
          EXPECT_EQ(region_id_of(point.p), point.id) << static_cast<const void*>(point.p);
          EXPECT_EQ(region_id_anywhere(point.p), point.id);
          EXPECT_EQ(arena_of(point.p), point.inside ? &arena : nullptr);
          EXPECT_EQ(arena.contains(point.p), point.inside);
        }
      },
      kSmall);
}

TEST(ArenaTest, IdsAreReadableBeyondTheFrontier) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        const Arena& arena = arenas[0];
        for (std::size_t region = 0; region < arena.regions; ++region) {
          ASSERT_EQ(region_id_of(arena.base + (region << kRegionShift) + region), kRegionUnused);
        }
      },
      kSmall);
}

TEST(ArenaTest, EachRegionHasADescriptorOfItsOwn) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        ASSERT_TRUE(arena_advance(arenas[0], kSmallRegions));
        for (std::size_t region = 0; region < kSmallRegions; ++region) {
          const Descriptor* d = arenas[0].descriptor(region);
          ASSERT_EQ(address_of(d) % alignof(Descriptor), 0u);
          ASSERT_EQ(region_of(d), region);
          ASSERT_EQ(memory_of(d), arenas[0].base + (region << kRegionShift));
          ASSERT_EQ(&arena_of(d), &arenas[0]);
          ASSERT_FALSE(d->is_free);
          ASSERT_EQ(d->owner.load(), 0u);
        }
      },
      kSmall);
}

TEST(ArenaTest, HeaderIsWrittenForTheSpanAndNothingElse) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        ASSERT_TRUE(arena_advance(arenas[0], kSmallRegions));
        for (std::uint32_t length = 1; length <= 9; ++length) {
          const std::size_t at = 20 * length;
          tiny_region_id_write_header(span_at(0, at, length), kRegionLarge, kRegionInterior);
          for (std::size_t region = at - 2; region < at + length + 2; ++region) {
            const RegionId expected = region < at || region >= at + length ? kRegionUnused
                                      : region == at                       ? kRegionLarge
                                                                           : kRegionInterior;
            ASSERT_EQ(arenas[0].id(region).load(), expected);
          }
        }
      },
      kSmall);
}

TEST(ArenaTest, AdvancesInStepsUpToItsEnd) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        Arena& arena = arenas[0];
        EXPECT_EQ(arena.frontier, 0u);
        for (std::size_t frontier = 1; frontier <= arena.regions; ++frontier) {
          ASSERT_TRUE(arena_advance(arena, frontier));
          ASSERT_EQ(arena.frontier, frontier);
          char* last = arena.base + ((frontier - 1) << kRegionShift);
          ASSERT_EQ(last[0] | last[kRegionBytes - 1], 0);
          last[0] = last[kRegionBytes - 1] = 1;
          ASSERT_LE(arena.memory.accessible, arena.regions << kRegionShift);
        }
        EXPECT_FALSE(arena_advance(arena, arena.regions + 1));
        EXPECT_EQ(arena.frontier, arena.regions);
      },
      kSmall);
}

// A step larger than any arena is the whole arena, or what the system grants.
TEST(ArenaTest, TheStepMayBeAsLargeAsANumberCanBe) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        for (const std::size_t frontier : {1u, 2u, 9u}) {
          ASSERT_TRUE(arena_advance(arenas[0], frontier));
          arenas[0].base[(frontier << kRegionShift) - 1] = 1;
        }
      },
      {{"HAKMEM_ARENA_BYTES", "16M"}, {"HAKMEM_COMMIT_STEP", "18446744073709551615"}});
}

TEST(ArenaTest, ArraysAreGuardedOnBothSides) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        Arena& arena = arenas[0];
        ASSERT_TRUE(arena_advance(arena, 3));
        EXPECT_FALSE(is_readable(arena.remote_bits.base));  // few slabs need them
        ASSERT_TRUE(span_open_remote_bits(span_at(0, 1, 2)));
        const auto expect_guarded = [&](const GrowingArray& array, bool readable_beyond) {
          EXPECT_FALSE(is_readable(array.base - 1));
          EXPECT_TRUE(is_writable(array.base));
          EXPECT_TRUE(is_writable(array.base + array.accessible - 1));
          EXPECT_FALSE(is_writable(array.base + array.accessible));
          const std::size_t whole = align_up(arena.regions * array.element_bytes, os::page_size());
          EXPECT_FALSE(is_readable(array.base + whole));
          if (whole > array.accessible) {
            EXPECT_EQ(is_readable(array.base + array.accessible), readable_beyond);
            EXPECT_EQ(is_readable(array.base + whole - 1), readable_beyond);
          }
        };
        expect_guarded(arena.ids, true);
        for (const GrowingArray* array :
             {&arena.descriptors, &arena.local_bits, &arena.remote_bits}) {
          expect_guarded(*array, false);
        }
        EXPECT_TRUE(is_writable(arena.base));
        EXPECT_FALSE(is_readable(arena.base - 1));
        EXPECT_FALSE(is_readable(arena.base + arena.memory.accessible));
        EXPECT_FALSE(is_readable(arena.base + (arena.regions << kRegionShift) - 1));
        EXPECT_FALSE(is_readable(arena.mapping));
      },
      {{"HAKMEM_ARENA_BYTES", "1G"}, {"HAKMEM_COMMIT_STEP", "1M"}});
}

TEST(ArenaTest, FurtherArenasAreKnownToTheSlowDoorOnly) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        ASSERT_TRUE(arena_add(1));
        ASSERT_EQ(arena_count.load(), 2u);
        EXPECT_EQ(regions_ever_used.load(), 0u);
        ASSERT_TRUE(arena_advance(arenas[1], 4));
        EXPECT_EQ(regions_ever_used.load(), 4u);
        tiny_region_id_write_header(span_at(1, 1, 2), tag_of_owner(9), tag_of_owner(9));
        char* p = arenas[1].base + kRegionBytes;
        EXPECT_EQ(arena_of(p), &arenas[1]);
        EXPECT_EQ(region_id_anywhere(p), tag_of_owner(9));
        EXPECT_EQ(region_id_anywhere(p + kRegionBytes), tag_of_owner(9));
        EXPECT_EQ(region_id_anywhere(p - 1), kRegionUnused);
        EXPECT_EQ(region_id_of(p), kRegionUnused);  // not the fast path's
        EXPECT_EQ(region_of(span_at(1, 3, 1)), 3u);
      },
      kSmall);
}

TEST(ArenaTest, AnArenaIsAsLargeAsAsked) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(3 * kSmallRegions));
        EXPECT_GE(arenas[0].regions, 3 * kSmallRegions);
      },
      kSmall);
}

#ifdef ADDRESS_SPACE_CAN_BE_LIMITED
TEST(ArenaTest, ThereIsAMostOfArenas) {
  in_child(
      [] {
        // Without a limit each arena would be as large as all before it.
        const rlimit limit{std::size_t{100} << 30, RLIM_INFINITY};
        ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
        for (std::size_t i = 0; i < kMaxArenas; ++i) ASSERT_TRUE(arena_add(1)) << i;
        EXPECT_FALSE(arena_add(1));
        std::vector<const char*> bases;
        for (const Arena& arena : arenas) bases.push_back(arena.base);
        std::sort(bases.begin(), bases.end());
        for (std::size_t i = 1; i < bases.size(); ++i) {
          EXPECT_GE(bases[i] - bases[i - 1],
                    static_cast<std::ptrdiff_t>(kSmallRegions << kRegionShift));
        }
      },
      kSmall);
}

#endif

TEST(ArenaTest, ImpossibleSizesAreRefused) {
  in_child(
      [] {
        EXPECT_FALSE(arena_add(std::size_t{1} << 40));
        EXPECT_EQ(arena_count.load(), 0u);
        EXPECT_TRUE(arena_add(1));
      },
      kSmall);
}

// Each of the first memory calls fails in turn: nothing is half done, and the next try works.
TEST(ArenaTest, SurvivesFailingCalls) {
  for (std::uint64_t n = 1; n <= 12; ++n) {
    in_child(
        [n] {
          os::fail_memory_call(n);
          if (!arena_add(1)) {
            EXPECT_EQ(arena_count.load(), 0u);
            ASSERT_TRUE(arena_add(1));
          }
          for (std::size_t frontier = 1; frontier <= 40; frontier += 13) {
            if (!arena_advance(arenas[0], frontier)) {
              ASSERT_TRUE(arena_advance(arenas[0], frontier));
            }
          }
          std::memset(arenas[0].base, 1, 40 << kRegionShift);
          tiny_region_id_write_header(span_at(0, 0, 40), kRegionLarge, kRegionInterior);
          EXPECT_EQ(region_id_of(arenas[0].base + (39 << kRegionShift)), kRegionInterior);
        },
        kSmall);
  }
}

#ifdef ADDRESS_SPACE_CAN_BE_LIMITED

// A limit lowered since the reservation: the unused tail goes back, pointers there are outside.
TEST(ArenaTest, HonoursALimitLoweredLater) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        Arena& arena = arenas[0];
        ASSERT_TRUE(arena_advance(arena, 10));
        arena.base[0] = 'k';
        ASSERT_TRUE(arena_add(1));  // of this one only what is accessible stays
        ASSERT_TRUE(arena_advance(arenas[1], 1));
        const std::size_t regions_before = arena.regions;
        const std::size_t mapped_before = arena.mapped;
        const std::size_t limit_bytes = std::size_t{256} << 20;
        rlimit limit{};
        getrlimit(RLIMIT_AS, &limit);
        const rlim_t unlimited = limit.rlim_cur;
        limit.rlim_cur = limit_bytes;
        ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
        const std::size_t in_use = arena.memory.accessible >> kRegionShift;
        const bool advanced = arena_advance(arena, in_use + 1);
        const bool beyond = arena_advance(arena, (limit_bytes >> kRegionShift) + 1);
        limit.rlim_cur = unlimited;
        setrlimit(RLIMIT_AS, &limit);
        EXPECT_TRUE(advanced);
        EXPECT_FALSE(beyond);
        EXPECT_LT(arena.regions, regions_before);
        EXPECT_GE(arena.regions, in_use + 1);
        EXPECT_LT(arena.mapped,
                  mapped_before - ((regions_before - arena.regions) << kRegionShift) + 1);
        EXPECT_EQ(arena.base[0], 'k');
        char* beyond_end = arena.base + (arena.regions << kRegionShift);
        EXPECT_EQ(region_id_of(beyond_end), kRegionUnused);
        EXPECT_EQ(arena_of(beyond_end), nullptr);
        EXPECT_EQ(arena_of(beyond_end - 1), &arena);
        for (const Arena& each : arenas_so_far()) {
          for (const GrowingArray* array : {&each.ids, &each.descriptors, &each.local_bits}) {
            EXPECT_TRUE(is_writable(array->base + array->accessible - 1));
          }
        }
      },
      {{"HAKMEM_ARENA_BYTES", "4G"}, {"HAKMEM_COMMIT_STEP", "1M"}});
}

#endif

// ---- the metadata heap -------------------------------------------------------------------------

TEST(Metadata, ZeroAlignedApartAndUsedAgain) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        std::set<char*> seen;
        for (int round = 0; round < 3; ++round) {
          std::vector<std::pair<char*, std::size_t>> blocks;
          for (std::size_t bytes = 1; bytes <= 20000; bytes += 1 + bytes / 3) {
            auto* p = static_cast<char*>(metadata_allocate(bytes));
            ASSERT_NE(p, nullptr);
            EXPECT_EQ(address_of(p) % kCacheLine, 0u);
            EXPECT_TRUE(pattern::is_zero(p, bytes));
            EXPECT_EQ(arena_of(p), nullptr);
            std::memset(p, 'x', bytes);
            blocks.emplace_back(p, bytes);
            if (round == 0) seen.insert(p);
            EXPECT_TRUE(seen.contains(p));  // later rounds use what the first gave back
          }
          std::sort(blocks.begin(), blocks.end());
          for (std::size_t i = 1; i < blocks.size(); ++i) {
            EXPECT_LE(blocks[i - 1].first + blocks[i - 1].second, blocks[i].first);
          }
          for (const auto& [p, bytes] : blocks) metadata_free(p, bytes);
        }
      },
      kSmall);
}

TEST(Metadata, EndsAndRecovers) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        constexpr std::size_t kBlock = std::size_t{1} << 20;
        std::vector<void*> blocks;
        while (void* p = metadata_allocate(kBlock)) blocks.push_back(p);
        EXPECT_GE(blocks.size(), 7u);
        EXPECT_GE(metadata_bytes(), blocks.size() * kBlock);
        EXPECT_EQ(metadata_allocate(kBlock), nullptr);
        metadata_free(blocks.back(), kBlock);
        EXPECT_EQ(metadata_allocate(kBlock), blocks.back());
        EXPECT_EQ(metadata_allocate(std::size_t{1} << 46), nullptr);
      },
      kSmall);
}

}  // namespace
}  // namespace hakmem
