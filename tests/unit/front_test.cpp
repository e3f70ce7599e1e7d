// The unified cache and a thread's side of it.
#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <string_view>
#include <thread>
#include <vector>

#include "front_support.hpp"
#include "hakmem/front/fast_path.hpp"
#include "hakmem/front/states.hpp"

namespace hakmem {
namespace {

void expect_missing_everything() {
  int object = 0;
  EXPECT_EQ(cache.tag, kUnmatchableTag);
  EXPECT_EQ(cache.thread, nullptr);
  EXPECT_EQ(current_heap, nullptr);
  for (unsigned c = 0; c < kClasses; ++c) {
    EXPECT_EQ(unified_cache_pop(slot_of_class(c)), nullptr);
    EXPECT_FALSE(unified_cache_push(slot_of_class(c), &object));
    EXPECT_EQ(tiny_c7_ultra_alloc(slot_of_class(c)), nullptr);
    EXPECT_FALSE(tiny_c7_ultra_free(slot_of_class(c), &object));
  }
}

TEST(CacheLayout, FourClassesShareOneLine) {
  const auto line_of = [](const void* p) { return address_of(p) / kCacheLine; };
  EXPECT_EQ(address_of(&cache) % kCacheLine, 0u);
  std::set<std::uintptr_t> lines;
  for (unsigned c = 0; c < kClasses; c += 4) {
    const std::uintptr_t line = line_of(&cache.words[slot_of_class(c)]);
    EXPECT_TRUE(lines.insert(line).second);
    for (unsigned i = c; i < std::min(c + 4, kClasses); ++i) {
      EXPECT_EQ(line_of(&cache.words[slot_of_class(i)]), line);
      EXPECT_EQ(line_of(&cache.words[slot_of_class(i) + kLimit]), line);
      EXPECT_EQ(&cache.limits.words[slot_of_class(i)], &cache.words[slot_of_class(i) + kLimit]);
    }
  }
  // C7 has a line to itself: its first class starts one.
  EXPECT_EQ(address_of(&cache.words[kFirstC7Slot]) % kCacheLine, 0u);
  EXPECT_EQ(kLastC7Class - kFirstC7Class, 3u);
}

TEST(CacheTest, AThreadWithoutAHeapMissesEverything) {
  in_child([] {
    expect_missing_everything();
    std::thread(expect_missing_everything).join();
    EXPECT_EQ(cache.phase, Cache::Phase::fresh);
  });
}

TEST(CacheTest, LastInFirstOut) {
  in_child([] {
    attach();
    for (unsigned c = 0; c < kClasses; ++c) {
      std::vector<void*> objects;
      for (int i = 0; i < 3; ++i) objects.push_back(take(c));
      for (void* p : objects) give(c, p);
      for (std::size_t i = objects.size(); i-- > 0;) EXPECT_EQ(take(c), objects[i]);
      for (void* p : objects) give(c, p);
    }
  });
}

TEST(CacheTest, AFullArrayTakesNoMore) {
  in_child([] {
    attach();
    for (unsigned c = 0; c < kClasses; ++c) {
      give(c, take(c));
      const Magazine& m = magazine(c);
      std::vector<void*> more;
      while (cached(c) < m.capacity) {
        void* p = nullptr;
        ASSERT_EQ(heap_refill(current_heap, kSizeClasses[c], &p + 1, 1), 1u);
        ASSERT_TRUE(unified_cache_push(slot_of_class(c), p));
      }
      void* p = nullptr;
      ASSERT_EQ(heap_refill(current_heap, kSizeClasses[c], &p + 1, 1), 1u);
      EXPECT_FALSE(unified_cache_push(slot_of_class(c), p));
      EXPECT_EQ(m.words[0], nullptr);  // the sentinel below
      EXPECT_TRUE(is_power_of_two(m.capacity + 1u));
      for (unsigned i = m.capacity; i > 0; --i)
        ASSERT_NE(unified_cache_pop(slot_of_class(c)), nullptr);
      EXPECT_EQ(unified_cache_pop(slot_of_class(c)), nullptr);
      EXPECT_EQ(unified_cache_pop(slot_of_class(c)), nullptr);
    }
  });
}

TEST(Refill, StartsSmallAndDoubles) {
  in_child(
      [] {
        attach();
        for (unsigned c = 0; c < kClasses; ++c) {
          SCOPED_TRACE(kSizeClasses[c].size);
          std::vector<std::uint64_t> batches;
          std::vector<bool> whole;  // it was not cut short by the end of a slab
          for (int i = 0; i < 12; ++i) {
            const std::uint64_t before = counters(c).carved;
            void* p = cache_refill(slot_of_class(c));
            ASSERT_NE(p, nullptr);
            batches.push_back(counters(c).carved - before);
            while (void* next = unified_cache_pop(slot_of_class(c))) p = next;
            const Descriptor* slab = slab_of(p, region_id_anywhere(p));
            whole.push_back(slab->slab.frontier < capacity_of(slab));
            EXPECT_LE(batches.back(), magazine(c).capacity / 2 + 1u);
          }
          EXPECT_LE(batches[0], 8u);
          const bool ultra = band_of_class(c) == 7 && c < kOrdinaryClasses;
          if (ultra || kSizeClasses[c].size <= 512) {
            EXPECT_EQ(batches[0], 8u);
          }
          const std::uint64_t most =
              std::max<std::uint64_t>(batches[0], std::min(32768 / kSizeClasses[c].size, 64u));
          for (std::size_t i = 1; i < batches.size(); ++i) {
            if (whole[i]) {
              EXPECT_EQ(batches[i], std::min(batches[0] << i, most)) << i;
            }
          }
        }
      },
      {{"HAKMEM_CACHE_BUDGET", "1G"}});
}

TEST(Refill, PopsAscendingAddresses) {
  in_child([] {
    attach();
    for (unsigned c = 0; c < kClasses; ++c) {
      void* last = take(c);
      for (unsigned i = 1; i < kSizeClasses[c].capacity; ++i) {
        void* p = take(c);
        ASSERT_LT(last, p);  // one slab, never used
        last = p;
      }
    }
  });
}

// The first batch fits the first array: a thread that does little stays within its page.
TEST(Refill, FirstArraysStandInTheThreadsPage) {
  in_child([] {
    attach();
    const auto* page = reinterpret_cast<char*>(cache.thread);
    for (unsigned c = 0; c < 6; ++c) {
      give(c, take(c));
      const auto* words = reinterpret_cast<char*>(magazine(c).words);
      EXPECT_TRUE(words > page && words < page + sizeof(ThreadState)) << kSizeClasses[c].size;
      EXPECT_FALSE(magazine(c).own_block);
    }
  });
}

// Whatever the pattern, the arrays have places for no more bytes than the budget, the first arrays
// aside.
TEST(Budget, BoundsTheGrowthOfAllArrays) {
  for (const char* budget : {"0", "64K", "1M", "4M"}) {
    in_child(
        [] {
          attach();
          // All first arrays: they are had whatever the budget.
          for (unsigned c = 0; c < kClasses; ++c) give(c, take(c));
          const std::size_t most = std::max<std::size_t>(config::cache_budget(), places_in_bytes());
          std::mt19937 random(7);
          std::vector<std::pair<unsigned, void*>> live;
          bool grew = false;
          for (int round = 0; round < 300; ++round) {
            const unsigned c = random() % kClasses;
            const unsigned count =
                1 + random() % std::min(3000u, (1u << 21) / kSizeClasses[c].size);
            for (unsigned i = 0; i < count; ++i) live.emplace_back(c, take(c));
            for (const auto& [of, p] : live) give(of, p);
            live.clear();
            ASSERT_EQ(cache.thread->budget_used, places_in_bytes());
            ASSERT_LE(places_in_bytes(), most);
            for (unsigned k = 0; k < kClasses; ++k) {
              ASSERT_LE(magazine(k).capacity, 2047u);
              grew = grew || magazine(k).capacity > 15;
            }
          }
          EXPECT_TRUE(grew || config::cache_budget() < most);
        },
        {{"HAKMEM_CACHE_BUDGET", budget}});
  }
}

// "Allocate 1,600 of one size, free them all", again and again: small sizes grow until it fits.
TEST(Budget, ArraysGrowWhereObjectsGoRound) {
  in_child([] {
    attach();
    std::vector<void*> objects(1600);
    for (int round = 0; round < 50; ++round) {
      for (void*& p : objects) p = take(1);
      for (void* p : objects) give(1, p);
    }
    EXPECT_EQ(magazine(1).capacity, 2047u);
    const std::uint64_t visits = counters(1).refills + counters(1).carves + counters(1).flushes;
    for (void*& p : objects) p = take(1);
    for (void* p : objects) give(1, p);
    EXPECT_LE(counters(1).refills + counters(1).carves + counters(1).flushes, visits + 1);
  });
}

TEST(Overflow, ReturnsTheOlderHalf) {
  in_child(
      [] {
        attach();
        for (unsigned c = 0; c < kClasses; ++c) {
          SCOPED_TRACE(kSizeClasses[c].size);
          std::vector<void*> objects;
          const unsigned capacity = (give(c, take(c)), magazine(c).capacity);
          ASSERT_EQ(magazine(c).words == nullptr, kSizeClasses[c].is_long());
          if (capacity == 0) continue;  // long objects have no array where there is no budget
          for (unsigned i = 0; i < capacity + 1; ++i) objects.push_back(take(c));
          while (unified_cache_pop(slot_of_class(c)) != nullptr) {
          }
          const std::uint64_t flushed = counters(c).flushed;
          for (void* p : objects) give(c, p);
          ASSERT_EQ(magazine(c).capacity, capacity);  // no budget to grow
          const unsigned returned = capacity / 2 + 1;
          EXPECT_EQ(counters(c).flushed, flushed + returned);
          EXPECT_EQ(cached(c), capacity + 1 - returned);
          // What stays is what was freed last, newest on top.
          for (std::size_t i = objects.size(); i > returned; --i) {
            EXPECT_EQ(unified_cache_pop(slot_of_class(c)), objects[i - 1]);
          }
          EXPECT_EQ(unified_cache_pop(slot_of_class(c)), nullptr);
        }
      },
      {{"HAKMEM_CACHE_BUDGET", "0"}});
}

// A thread that only frees has no arrays yet: its first free makes one.
TEST(Overflow, MakesTheFirstArray) {
  in_child([] {
    attach();
    for (unsigned c = 0; c < kClasses; ++c) {
      void* p = nullptr;
      ASSERT_EQ(heap_refill(current_heap, kSizeClasses[c], &p + 1, 1), 1u);
      cache_overflow(slot_of_class(c), p);
      EXPECT_EQ(cached(c), 1u);
      EXPECT_EQ(unified_cache_pop(slot_of_class(c)), p);
    }
  });
}

TEST(ThreadTest, FlushAllReturnsArraysAndOutbox) {
  in_child([] {
    attach();
    Heap* other = heap_acquire();
    void* foreign = nullptr;
    ASSERT_EQ(heap_refill(other, kSizeClasses[3], &foreign + 1, 1), 1u);
    for (unsigned c = 0; c < kClasses; ++c) give(c, take(c));
    outbox_add(cache.thread->outbox, foreign, region_id_anywhere(foreign));
    cache_flush_all();
    for (unsigned c = 0; c < kClasses; ++c) {
      const BinCounters& n = counters(c);
      EXPECT_EQ(cached(c), 0u);
      EXPECT_EQ(n.carved + n.refilled, n.flushed);
    }
    EXPECT_EQ(cache.thread->outbox.charge, 0u);
    heaps_trim_idle();
    EXPECT_EQ(other->bins[3].counters.collected, 1u);
  });
}

TEST(ThreadTest, DetachedForGood) {
  in_child([] {
    ASSERT_TRUE(arena_add(1));
    std::thread([] {
      attach();
      EXPECT_EQ(cache.phase, Cache::Phase::attached);
      EXPECT_EQ(cache.tag, tag_of_owner(current_heap->id));
      for (unsigned c = 0; c < kClasses; ++c) {
        std::vector<void*> objects(3);
        for (void*& p : objects) p = take(c);
        for (void* p : objects) give(c, p);
      }
      thread_end();
      EXPECT_EQ(cache.phase, Cache::Phase::gone);
      expect_missing_everything();
      EXPECT_FALSE(thread_attach());
      thread_end();  // once is enough
      EXPECT_EQ(cache.phase, Cache::Phase::gone);
    }).join();
    EXPECT_NE(heap_by_id(1)->kept.load(), nullptr);
    EXPECT_EQ(kept_count(), 1u);
    parked_caches_release();
    EXPECT_EQ(heap_by_id(1)->kept.load(), nullptr);
    EXPECT_EQ(kept_count(), 0u);
    EXPECT_EQ(span_statistics().used, 0u);
    EXPECT_TRUE(heap_by_id(1)->parked);
  });
}

// A thread leaves its arrays to the next one, with 1 MiB of objects at most: those freed last.
TEST(ThreadTest, LargeCachesWaitWithAPartOfTheirObjects) {
  in_child([] {
    ASSERT_TRUE(arena_add(1));
    constexpr std::size_t kMost = std::size_t{1} << 20;
    static std::uint16_t capacities[kClasses];
    static void* last;
    const unsigned largest = kFirstLongClass - 1;  // more than one place at first: they grow
    std::thread([] {
      attach();
      states_show_mine();
      for (unsigned c = largest; states_cached_bytes() <= kMost + kMost / 4; --c) {
        ASSERT_GT(c, 0u);
        std::vector<void*> objects(100);
        for (int round = 0; round < 8; ++round) {
          for (void*& p : objects) p = take(c);
          for (void* p : objects) give(c, p);
        }
      }
      for (unsigned c = 0; c < kClasses; ++c) capacities[c] = magazine(c).capacity;
      last = *cache.words[slot_of_class(largest)];
      thread_end();
    }).join();
    EXPECT_EQ(kept_count(), 1u);
    EXPECT_LE(states_cached_bytes(), kMost);
    EXPECT_GT(states_cached_bytes(), kMost / 2);  // whole objects, of several classes
    std::thread([] {
      attach();
      EXPECT_EQ(current_heap->id, 1u);
      for (unsigned c = 0; c < kClasses; ++c) EXPECT_EQ(magazine(c).capacity, capacities[c]);
      EXPECT_GT(cached(largest), 0u);
      EXPECT_EQ(*cache.words[slot_of_class(largest)], last);
      thread_end();
    }).join();
    parked_caches_release();
    EXPECT_EQ(states_cached_bytes(), 0u);
    heaps_trim_idle();
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

TEST(ThreadTest, LivesFollowEachOtherInOneHeapAndNoMoreMetadata) {
  in_child([] {
    ASSERT_TRUE(arena_add(1));
    std::size_t metadata = 0;
    for (int life = 0; life < 600; ++life) {
      std::thread([] {
        attach();
        std::vector<std::pair<unsigned, void*>> live;
        for (unsigned c = 0; c < kClasses; ++c) {
          for (int i = 0; i < 100; ++i) live.emplace_back(c, take(c));
        }
        for (const auto& [c, p] : live) give(c, p);
        thread_end();
      }).join();
      if (life == 300) metadata = metadata_bytes();
    }
    EXPECT_EQ(heap_count(), 1u);
    // The arena's own part follows how its spans happen to be divided; 300 lives would leave more.
    EXPECT_LT(metadata_bytes(), metadata + 299 * sizeof(ThreadState) / 2);
    parked_caches_release();
    heaps_trim_idle();
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

TEST(ThreadTest, WithoutMetadataThereIsNoCacheButMemoryStillComes) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        std::vector<std::pair<void*, std::size_t>> blocks;
        const auto exhaust = [&] {
          for (std::size_t bytes = std::size_t{1} << 20; bytes >= 64; bytes /= 2) {
            while (void* p = metadata_allocate(bytes)) blocks.emplace_back(p, bytes);
          }
        };
        // What a thread needs, to be given back in time: blocks are never divided.
        std::vector<std::pair<void*, std::size_t>> kept;
        for (const std::size_t bytes : {4096, 8192, 8192, 16384}) {
          kept.emplace_back(metadata_allocate(bytes), bytes);
        }
        exhaust();
        EXPECT_FALSE(thread_attach());
        EXPECT_EQ(cache.phase, Cache::Phase::fresh);
        for (const auto& [p, bytes] : kept) metadata_free(p, bytes);
        attach();
        exhaust();
        // Arrays in the thread's page first, then none at all; objects come and go either way.
        for (unsigned c = 0; c < kClasses; ++c) {
          std::set<void*> objects;
          for (int i = 0; i < 40; ++i) {
            void* p = take(c);
            ASSERT_NE(p, nullptr);
            ASSERT_TRUE(objects.insert(p).second);
          }
          for (void* p : objects) give(c, p);
        }
        cache_flush_all();
        heaps_trim_idle();
        EXPECT_EQ(span_statistics().used, 0u);
      },
      {{"HAKMEM_ARENA_BYTES", "256M"}});
}

TEST(ThreadFault, DoubleFreeIsCaughtAtTheFlush) {
  expect_fatal("double free of 0x", [] {
    attach();
    void* p = take(3);
    void* q = take(3);
    give(3, p);
    give(3, q);
    give(3, p);
    cache_flush_all();
  });
}

// In the release flavour, where the gate is frozen, at the flush.
TEST(ThreadFault, DoubleFreeOfTheLastIsCaughtAtOnceWhereItIsLookedFor) {
  constexpr bool live = std::string_view(config::flavour()) == "lab";
  expect_fatal(
      "double free of 0x",
      [] {
        attach();
        void* p = take(3);
        give(3, p);
        give(3, p);
        if (!live) cache_flush_all();
      },
      live ? Environment{{"HAKMEM_CHECK_TOP", "1"}} : Environment{});
}

}  // namespace

}  // namespace hakmem
