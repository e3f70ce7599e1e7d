// First-class heaps: hak_heap_*.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <thread>
#include <utility>
#include <vector>

#include "conformance/library.hpp"
#include "hakmem/hakmem.h"
#include "support/opaque.hpp"
#include "support/pattern.hpp"
#include "support/sizes.hpp"

namespace {

const std::vector<std::size_t> kSizes = sizes::around_class_borders(kMiB);

hak_heap_stats_t stats_of(hak_heap_t* heap) {
  hak_heap_stats_t stats{};
  hak_heap_stats(heap, &stats);
  return stats;
}

void expect_empty(hak_heap_t* heap) {
  const hak_heap_stats_t stats = stats_of(heap);
  EXPECT_EQ(stats.live_objects, 0u);
  EXPECT_EQ(stats.live_bytes, 0u);
}

class Heaps : public testing::Test {
 protected:
  ~Heaps() override { hak_heap_destroy(heap_); }

  // What was allocated and not released, counted by hand.
  void expect_exactly(std::size_t objects, std::size_t bytes) {
    const hak_heap_stats_t stats = stats_of(heap_);
    EXPECT_EQ(stats.live_objects, objects);
    EXPECT_EQ(stats.live_bytes, bytes);
    EXPECT_GE(stats.held_bytes, bytes);
  }

  hak_heap_t* heap_ = hak_heap_new();
};

TEST_F(Heaps, ANewHeapIsEmpty) {
  ASSERT_NE(heap_, nullptr);
  expect_exactly(0, 0);
  EXPECT_EQ(stats_of(heap_).held_bytes, 0u);
}

TEST_F(Heaps, ObjectsOfEverySizeAreUsableAndCounted) {
  std::vector<std::pair<void*, std::size_t>> objects;
  std::size_t bytes = 0;
  for (const std::size_t size : kSizes) {
    void* const p = hak_heap_malloc(heap_, size);
    ASSERT_NE(p, nullptr) << size;
    EXPECT_TRUE(aligned_to(p, 16));
    EXPECT_GE(hak_usable_size(p), size);
    pattern::fill(p, hak_usable_size(p), objects.size());
    bytes += hak_usable_size(p);
    objects.emplace_back(p, hak_usable_size(p));
    expect_exactly(objects.size(), bytes);
  }
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const auto& [p, usable] = objects[i];
    EXPECT_TRUE(pattern::holds(p, usable, i)) << usable;
    bytes -= usable;
    i % 2 == 0 ? hak_free(p) : std::free(p);
    expect_exactly(objects.size() - i - 1, bytes);
  }
}

TEST_F(Heaps, CallocIsZeroWhereOthersWereBefore) {
  for (const std::size_t size : kSizes) {
    for (int round = 0; round < 2; ++round) {
      void* const p = hak_heap_calloc(heap_, 2, size);
      ASSERT_NE(p, nullptr) << size;
      EXPECT_TRUE(pattern::is_zero(p, 2 * size)) << size;
      pattern::fill(p, hak_usable_size(p), 1);
      hak_free(p);
    }
  }
  expect_empty(heap_);
}

TEST_F(Heaps, AlignedAsAsked) {
  std::size_t objects = 0;
  for (std::size_t alignment = 1; alignment <= (64u << 20); alignment *= 2) {
    for (const std::size_t size : {1u, 100u, 1000u, 5000u, 40000u}) {
      void* const p = hak_heap_aligned(heap_, alignment, size);
      ASSERT_NE(p, nullptr) << alignment;
      EXPECT_TRUE(aligned_to(p, alignment)) << alignment;
      pattern::fill(p, size, alignment);
      EXPECT_EQ(stats_of(heap_).live_objects, ++objects);
    }
  }
}

TEST_F(Heaps, AlignmentsThatAreNone) {
  for (const std::size_t alignment : {std::size_t{0}, std::size_t{24}, std::size_t{1} << 31}) {
    errno = 0;
    EXPECT_EQ(hak_heap_aligned(heap_, opaque(alignment), 100), nullptr) << alignment;
    EXPECT_EQ(errno, EINVAL) << alignment;
  }
  expect_empty(heap_);
}

TEST_F(Heaps, ImpossibleSizes) {
  void* const kept = hak_heap_malloc(heap_, 100);
  pattern::fill(kept, 100, 1);
  for (const std::size_t size : {static_cast<std::size_t>(PTRDIFF_MAX), SIZE_MAX - 64, SIZE_MAX}) {
    const auto expect_no_memory = [](const void* p) {
      EXPECT_EQ(p, nullptr);
      EXPECT_EQ(std::exchange(errno, 0), ENOMEM);
    };
    errno = 0;
    expect_no_memory(hak_heap_malloc(heap_, opaque(size)));
    expect_no_memory(hak_heap_calloc(heap_, opaque(size), 1));
    expect_no_memory(hak_heap_calloc(heap_, opaque(size), 2));
    expect_no_memory(hak_heap_calloc(heap_, 3, opaque(size)));
    expect_no_memory(hak_heap_aligned(heap_, 64, opaque(size)));
    expect_no_memory(hak_heap_realloc(heap_, kept, opaque(size)));
    expect_no_memory(hak_heap_realloc(heap_, nullptr, opaque(size)));
  }
  EXPECT_TRUE(pattern::holds(kept, 100, 1));
  expect_exactly(1, hak_good_size(100));
}

TEST_F(Heaps, HeapReallocStaysInTheHeap) {
  void* p = hak_heap_realloc(heap_, nullptr, 1);
  std::size_t before = 1;
  for (int round = 0; round < 2; ++round) {
    for (const std::size_t size : kSizes) {
      const std::size_t to = round == 0 ? size + 1 : kMiB - size + 1;  // up, then down
      pattern::fill(p, before, to);
      p = hak_heap_realloc(heap_, p, to);
      ASSERT_NE(p, nullptr);
      EXPECT_TRUE(pattern::holds(p, std::min(before, to), to)) << before << " to " << to;
      EXPECT_GE(hak_usable_size(p), to);
      expect_exactly(1, hak_usable_size(p));
      before = to;
    }
  }
  EXPECT_EQ(hak_heap_realloc(heap_, p, opaque(std::size_t{0})), nullptr);
  expect_exactly(0, 0);
}

TEST_F(Heaps, ReallocMovesOutAndHeapReallocMovesIn) {
  void* p = hak_heap_malloc(heap_, 100);
  pattern::fill(p, 100, 1);
  p = hak_realloc(p, 5000);
  EXPECT_TRUE(pattern::holds(p, 100, 1));
  expect_exactly(0, 0);
  p = hak_heap_realloc(heap_, p, 20000);
  EXPECT_TRUE(pattern::holds(p, 100, 1));
  expect_exactly(1, hak_good_size(20000));
  p = std::realloc(p, 60);  // too little is left to keep the place
  EXPECT_TRUE(pattern::holds(p, 60, 1));
  expect_exactly(0, 0);
  hak_free(p);
}

TEST_F(Heaps, ALargeObjectThatIsResizedInPlaceStaysCounted) {
  void* p = hak_heap_malloc(heap_, 16 * kMiB);
  pattern::fill(p, kMiB, 1);
  p = hak_heap_realloc(heap_, p, kMiB);
  EXPECT_TRUE(pattern::holds(p, kMiB, 1));
  expect_exactly(1, hak_usable_size(p));
  p = hak_heap_realloc(heap_, p, 4 * kMiB);
  EXPECT_TRUE(pattern::holds(p, kMiB, 1));
  expect_exactly(1, hak_usable_size(p));
}

TEST_F(Heaps, AnyThreadAllocatesAndReleases) {
  std::vector<void*> mine;
  for (const std::size_t size : kSizes) {
    mine.push_back(hak_heap_malloc(heap_, size));
    pattern::fill(mine.back(), size, size);
  }
  std::vector<void*> theirs;
  std::thread([&] {
    for (std::size_t i = 0; i < kSizes.size(); ++i) {
      EXPECT_TRUE(pattern::holds(mine[i], kSizes[i], kSizes[i]));
      i % 2 == 0 ? hak_free(mine[i]) : std::free(mine[i]);
    }
    expect_exactly(0, 0);
    for (const std::size_t size : kSizes) theirs.push_back(hak_heap_calloc(heap_, 1, size));
  }).join();
  EXPECT_EQ(stats_of(heap_).live_objects, kSizes.size());
  for (void* p : theirs) hak_free_sized(p, 0);
  expect_exactly(0, 0);
}

TEST_F(Heaps, HeapsDoNotMix) {
  hak_heap_t* const other = hak_heap_new();
  std::vector<void*> kept;
  for (const std::size_t size : kSizes) {
    kept.push_back(hak_heap_malloc(heap_, size));
    pattern::fill(kept.back(), size, size);
    pattern::fill(hak_heap_malloc(other, size), size, ~size);
    kept.push_back(hak_malloc(size));
    pattern::fill(kept.back(), size, size + 1);
  }
  hak_heap_destroy(other);
  std::vector<void*> next;
  for (const std::size_t size : kSizes) {
    next.push_back(hak_malloc(size));
    pattern::fill(next.back(), size, ~size);
  }
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_TRUE(pattern::holds(kept[i], kSizes[i / 2], kSizes[i / 2] + i % 2));
    hak_free(kept[i]);
  }
  for (void* p : next) hak_free(p);
  expect_exactly(0, 0);
}

TEST_F(Heaps, DestroyReleasesEverything) {
  hak_collect(true);
  const struct mallinfo2 before = mallinfo2();
  for (int round = 0; round < 20; ++round) {
    hak_heap_t* const heap = hak_heap_new();
    ASSERT_NE(heap, nullptr);
    expect_empty(heap);
    EXPECT_EQ(stats_of(heap).held_bytes, 0u);
    std::vector<void*> objects;
    for (const std::size_t size : kSizes) {
      for (int i = 0; i < 3; ++i) objects.push_back(hak_heap_calloc(heap, 1, size));
    }
    EXPECT_GE(mallinfo2().uordblks, before.uordblks + stats_of(heap).live_bytes);
    // Some of them released before, by others too: neither is released twice.
    std::thread([&] {
      for (std::size_t i = 0; i < objects.size(); i += 3) hak_free(objects[i]);
    }).join();
    for (std::size_t i = 1; i < objects.size(); i += 3) hak_free(objects[i]);
    hak_heap_destroy(heap);
  }
  hak_collect(true);
  const struct mallinfo2 after = mallinfo2();
  EXPECT_LE(after.uordblks, before.uordblks + kMiB / 4);
  EXPECT_LE(after.arena, before.arena + kMiB);
}

TEST_F(Heaps, DestroyOfNullIsNothing) {
  errno = 4321;
  hak_heap_destroy(nullptr);
  EXPECT_EQ(errno, 4321);
}

// A heap may come by memory that a thread left when it ended; that thread's objects are not its.
TEST_F(Heaps, WhatEndedThreadsLeftOutlivesTheHeap) {
  for (const std::size_t size : {16u, 64u, 200u, 1024u, 3000u, 30000u}) {
    std::vector<void*> left;
    std::thread([&] {
      for (std::size_t i = 0; i < 200; ++i) {
        left.push_back(hak_malloc(size));
        pattern::fill(left.back(), size, i);
      }
    }).join();
    hak_heap_t* const heap = hak_heap_new();
    std::size_t objects = 0;
    for (int i = 0; i < 300; ++i) {
      pattern::fill(hak_heap_malloc(heap, size), size, ~std::size_t{0});
      EXPECT_EQ(stats_of(heap).live_objects, ++objects);
    }
    hak_heap_destroy(heap);
    for (int i = 0; i < 300; ++i) pattern::fill(hak_heap_malloc(heap_, size), size, 7);
    for (std::size_t i = 0; i < left.size(); ++i) {
      ASSERT_TRUE(pattern::holds(left[i], size, i)) << size;
      hak_free(left[i]);
    }
  }
}

}  // namespace
