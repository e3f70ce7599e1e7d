// The spans that a thread keeps for its next large objects.
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "hakmem/heap/shared.hpp"
#include "shelf_support.hpp"

namespace hakmem {
namespace {

constexpr std::size_t kMostBytes = std::size_t{4} << 20;  // half the budget

std::size_t regions_on_shelf() {
  std::size_t sum = 0;
  for (std::size_t n = 1; n <= Shelf::kLongest; ++n) {
    for (const Descriptor* d = shelf().spans[n]; d != nullptr; d = d->large.next) {
      EXPECT_EQ(d->regions, n);
      sum += n;
    }
  }
  return sum;
}

TEST(Shelf, TheNextObjectOfTheLengthGetsTheSpan) {
  in_child(
      [] {
        attach();
        char* a = allocate(3 * kRegion);
        char* b = allocate(3 * kRegion - 100);
        std::memset(a, 1, 3 * kRegion);
        const std::size_t dirty = span_statistics().dirty;
        large_free(a);
        large_free(b);
        EXPECT_EQ(region_id_of(b), kRegionFreed);
        EXPECT_EQ(span_statistics().dirty, dirty);
        EXPECT_EQ(regions_on_shelf(), 6u);
        EXPECT_NE(allocate(2 * kRegion), nullptr);  // another length
        EXPECT_EQ(regions_on_shelf(), 6u);
        EXPECT_EQ(allocate(3 * kRegion - 100), b);
        const LargeObject again = large_allocate(2 * kRegion + 1, 16);
        EXPECT_EQ(address_of(again.p) / kRegion, address_of(a) / kRegion);
        EXPECT_FALSE(again.zero);
        EXPECT_EQ(region_id_of(again.p), kRegionLarge);
        EXPECT_EQ(region_id_of(static_cast<char*>(again.p) + 2 * kRegion), kRegionInterior);
        EXPECT_EQ(regions_on_shelf(), 0u);
        EXPECT_EQ(shelf().bytes, 0u);
      },
      kBudget);
}

TEST(Shelf, AlignmentsAndUsableSizesHold) {
  in_child(
      [] {
        attach();
        for (std::size_t alignment = 16; alignment <= kRegion; alignment *= 2) {
          for (const std::size_t spare : {std::size_t{0}, std::size_t{100}, std::size_t{5000}}) {
            const std::size_t size = 4 * kRegion - spare;
            char* p = allocate(size, alignment);
            ASSERT_EQ(address_of(p) % alignment, 0u);
            const std::size_t usable = large_usable(p);
            ASSERT_GE(usable, size);
            ASSERT_LE(address_of(p) % kRegion + usable, 4 * kRegion);
            ASSERT_TRUE(alignment > 16 || usable == large_good_size(size)) << usable;
            large_free(p);
            ASSERT_EQ(regions_on_shelf(), 4u);
          }
        }
        large_free(allocate(4 * kRegion));
        EXPECT_EQ(large_live_bytes(), shelf().bytes);
      },
      kBudget);
}

TEST(Shelf, ALongerSpanServesByAQuarterAtMost) {
  in_child(
      [] {
        attach();
        char* p = allocate(5 * kRegion);
        large_free(p);
        EXPECT_NE(allocate(3 * kRegion), p);
        EXPECT_EQ(allocate(4 * kRegion), p);
        EXPECT_EQ(large_usable(p), 5 * kRegion);
        EXPECT_EQ(regions_on_shelf(), 0u);
        EXPECT_TRUE(large_resize(p, 4 * kRegion));  // as for any object that is too long
        EXPECT_EQ(large_usable(p), 4 * kRegion);
      },
      kBudget);
}

TEST(Shelf, GrowsToHalfTheBudgetWhereAllOfItIsWanted) {
  in_child(
      [] {
        attach();
        std::vector<char*> objects(40);
        std::size_t most = 0;
        for (int round = 0; round < 20; ++round) {
          for (char*& p : objects) p = allocate(2 * kRegion);
          for (char* p : objects) large_free(p);
          EXPECT_LE(shelf().bytes, shelf().most);
          EXPECT_GE(shelf().most, most);
          EXPECT_EQ(cache.thread->budget_used, places_in_bytes() + shelf().most);
          most = shelf().most;
        }
        EXPECT_EQ(most, kMostBytes);
        EXPECT_GT(shelf().bytes, most / 4 * 3);
      },
      kBudget);
}

TEST(Shelf, OfThreadsThatOnlyFreeItStaysSmallAndIsEmptiedNowAndThen) {
  in_child(
      [] {
        attach();
        std::vector<char*> objects(2000);
        for (char*& p : objects) p = allocate(2 * kRegion);
        shelf().wanted = 0;  // as if another thread had allocated them
        int emptied = 0;
        for (char* p : objects) {
          const std::size_t before = shelf().bytes;
          large_free(p);
          EXPECT_LE(shelf().bytes, kMostBytes / 8);
          emptied += shelf().bytes < before ? 1 : 0;
        }
        EXPECT_GT(emptied, 10);
        EXPECT_EQ(shelf_passed_on_bytes(), 0u);  // there is nobody else
      },
      kBudget);
}

TEST(Shelf, NothingLongAndNothingWithoutABudget) {
  in_child(
      [] {
        attach();
        large_free(allocate((Shelf::kLongest + 1) * kRegion));
        EXPECT_EQ(regions_on_shelf(), 0u);
        EXPECT_EQ(shelf().most, 0u);
      },
      kBudget);
  in_child(
      [] {
        attach();
        for (int i = 0; i < 1000; ++i) large_free(allocate(2 * kRegion));
        EXPECT_EQ(regions_on_shelf(), 0u);
        EXPECT_EQ(cache.thread->budget_used, shelf().most);
      },
      {{"HAKMEM_CACHE_BUDGET", "128K"}});
}

TEST(Shelf, AnIdleThreadAndOneThatEndsKeepNothing) {
  in_child(
      [] {
        attach();
        const std::size_t before = span_statistics().used;
        large_free(allocate(2 * kRegion));
        EXPECT_GT(span_statistics().used, before);
        thread_idle();
        EXPECT_LE(span_statistics().used, before);
        std::thread([] {
          attach();
          large_free(allocate(2 * kRegion));
          EXPECT_EQ(regions_on_shelf(), 2u);
          thread_end();
        }).join();
        EXPECT_LE(span_statistics().used, before);
        EXPECT_EQ(large_live_bytes(), 0u);
      },
      kBudget);
}

// Until the shelf holds so many regions; as long as it takes.
template <typename Work>
void work_until(std::size_t regions, Work work) {
  for (int i = 0; i < 100000 && regions_on_shelf() != regions; ++i) {
    work();
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  EXPECT_EQ(regions_on_shelf(), regions);
}

void put_spans() {
  for (const std::size_t n : {2, 3, 3}) allocate(n * kRegion);  // so that these lengths are wanted
  char* a = allocate(2 * kRegion);
  char* b = allocate(3 * kRegion);
  large_free(a);
  large_free(b);
  EXPECT_EQ(regions_on_shelf(), 5u);
}

TEST(Shelf, WhatNobodyWantsGoesAfterAPurgeDelay) {
  in_child(
      [] {
        attach();
        put_spans();
        work_until(0, [] { take(20); });  // by visits for small objects
        put_spans();
        work_until(2, [] { large_free(allocate(2 * kRegion)); });
        put_spans();
        // Whatever the order of allocating and freeing, and if it is of larger objects.
        std::vector<char*> few(7);
        work_until(0, [&] {
          for (char*& p : few) p = allocate((Shelf::kLongest + 1) * kRegion);
          for (char* p : few) large_free(p);
        });
      },
      kShortDelay);
}

TEST(Shelf, LargeObjectsAloneGiveBackWhatWaits) {
  for (const int phase : {0, 1}) {
    in_child(
        [phase] {
          attach();
          large_free(allocate(100 * kRegion));
          for (int i = 0; i < phase; ++i) allocate(kRegion);
          for (int i = 0; i < 100000 && span_statistics().dirty != 0; ++i) {
            large_free(allocate(2 * kRegion));
            std::this_thread::sleep_for(std::chrono::microseconds(100));
          }
          EXPECT_EQ(span_statistics().dirty, 0u);
        },
        kShortDelay);
  }
}

TEST(Shelf, NoneUnderALimitNorWhereMemoryGoesBackAtOnce) {
  for (const Environment& environment :
       {Environment{{"HAKMEM_LIMIT", "1G"}}, Environment{{"HAKMEM_PURGE_DELAY", "0"}}}) {
    in_child(
        [] {
          attach();
          large_free(allocate(2 * kRegion));
          EXPECT_EQ(regions_on_shelf(), 0u);
        },
        environment);
  }
}

TEST(Shelf, ThreadsWithoutAHeapShareTheBudget) {
  in_child(
      [] {
        attach();
        ASSERT_TRUE(thread_take_heap());
        std::vector<std::thread> threads;
        std::atomic<int> ready{0};
        std::atomic<std::size_t> shelved{0};
        for (int i = 0; i < 16; ++i) {
          threads.emplace_back([&] {
            attach();
            ++ready;
            while (ready < 16) std::this_thread::yield();
            char* p = allocate(kRegion);
            large_free(p);
            EXPECT_NE(current_heap, nullptr);
            ++ready;
            while (ready < 32) std::this_thread::yield();
            std::vector<char*> objects(200);
            for (char*& each : objects) each = allocate(kRegion);
            for (char* each : objects) large_free(each);
            EXPECT_LE(shelf().most, kMostBytes * 2 / 8);
            shelved += shelf().bytes;
            thread_end();
          });
        }
        for (std::thread& thread : threads) thread.join();
        EXPECT_GT(shelved.load(), 0u);
      },
      kBudget);
}

TEST(Shelf, WhatGrewByCopyingIsNotKept) {
  in_child(
      [] {
        attach();
        char* p = allocate(2 * kRegion);
        large_free_moved(p);
        EXPECT_EQ(regions_on_shelf(), 0u);
        EXPECT_EQ(region_id_of(p), kRegionUnused);
        p = allocate(16 * kRegion);
        void* moved = large_move(p, 17 * kRegion, nullptr);
        ASSERT_NE(moved, nullptr);
        ASSERT_TRUE(large_resize(moved, 3 * kRegion));  // with room behind it
        large_free(moved);
        EXPECT_EQ(regions_on_shelf(), 0u);
      },
      kBudget);
}

TEST(Shelf, OthersEmptyTheShelvesOfThreadsThatSleep) {
  for (const bool at_once : {false, true}) {
    in_child(
        [at_once] {
          std::atomic<int> stage{0};
          attach();
          std::thread sleeper([&] {
            attach();
            put_spans();
            stage = 1;
            while (stage == 1) std::this_thread::yield();
            EXPECT_EQ(regions_on_shelf(), 0u);
            large_free(allocate(2 * kRegion));  // and it is as before
            EXPECT_EQ(regions_on_shelf(), 2u);
            thread_end();
          });
          while (stage != 1) std::this_thread::yield();
          const std::size_t used = span_statistics().used;
          for (int i = 0; i < 100000 && span_statistics().used == used; ++i) {
            at_once ? shelves_clear() : static_cast<void>(shelf_tick(shelf()));
            std::this_thread::sleep_for(std::chrono::microseconds(100));
          }
          EXPECT_EQ(span_statistics().used, used - 5 * kRegion);
          stage = 2;
          sleeper.join();
        },
        at_once ? kBudget : kShortDelay);
  }
}

TEST(Shelf, MayBeEmptiedAtAnyMoment) {
  in_child(
      [] {
        std::atomic<int> working{3};
        attach();
        std::vector<std::thread> threads;
        for (unsigned seed = 1; seed <= 3; ++seed) {
          threads.emplace_back([&, seed] {
            attach();
            std::vector<char*> objects(10);
            for (unsigned i = 0; i < 20000; ++i) {
              char*& p = objects[(i * 7 + seed) % objects.size()];
              if (p != nullptr) {
                ASSERT_EQ(*p, static_cast<char>(seed));
                large_free(p);
              }
              p = allocate((i * seed % 5 + 1) * kRegion);
              ASSERT_NE(p, nullptr);
              *p = static_cast<char>(seed);
            }
            for (char* p : objects) large_free(p);
            --working;
            thread_end();
          });
        }
        while (working != 0) shelves_clear();
        for (std::thread& thread : threads) thread.join();
        EXPECT_EQ(span_statistics().used, 0u);
        EXPECT_EQ(large_live_bytes(), 0u);
      },
      kBudget);
}

TEST(Shelf, SharedHeapsObjectsAndThoseWithoutACacheGoBackAtOnce) {
  in_child(
      [] {
        ASSERT_TRUE(arena_add(1));
        large_free(allocate(2 * kRegion));
        EXPECT_EQ(span_statistics().used, 0u);
        attach();
        const std::size_t before = span_statistics().used;
        Heap* heap = shared_heap_open();
        large_free(large_allocate(2 * kRegion, 16, heap).p);
        EXPECT_EQ(span_statistics().used, before);
        EXPECT_EQ(regions_on_shelf(), 0u);
      },
      kBudget);
}

}  // namespace
}  // namespace hakmem
