// Large objects that one thread frees and does not want, and others do.
#include <atomic>
#include <chrono>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "hakmem/front/states.hpp"
#include "shelf_support.hpp"

namespace hakmem {
namespace {

constexpr std::size_t kMost = std::size_t{8} << 20;

// Frees them in another thread, which ends.
std::set<char*> hand_over(unsigned count, std::size_t size) {
  std::set<char*> objects;
  while (objects.size() < count) objects.insert(allocate(size));
  std::thread([&] {
    attach();
    for (char* p : objects) large_free(p);
    EXPECT_NE(shelf_passed_on_bytes(), 0u);
    thread_end();
  }).join();
  return objects;
}

TEST(PassedOn, IsWhatAThreadDoesNotWant) {
  in_child(
      [] {
        attach();
        ASSERT_TRUE(thread_take_heap());
        const std::set<char*> objects = hand_over(100, 2 * kRegion);
        ASSERT_EQ(shelf_passed_on_bytes(), kMost);
        EXPECT_EQ(large_live_bytes(), kMost);
        EXPECT_EQ(states_cached_bytes(), kMost);
        const std::size_t used = span_statistics().used;
        std::set<char*> again;
        while (again.size() < kMost / (2 * kRegion)) {
          char* p = allocate(2 * kRegion);
          ASSERT_TRUE(objects.count(p) == 1 && again.insert(p).second);
          ASSERT_EQ(region_id_of(p), kRegionLarge);
          ASSERT_EQ(shelf_passed_on_bytes() + shelf().bytes + again.size() * 2 * kRegion, kMost);
        }
        EXPECT_GT(shelf().most, 0u);  // it took many at a time
        EXPECT_EQ(span_statistics().used, used);
      },
      kBudget);
}

TEST(PassedOn, IsFoundByItsLength) {
  in_child(
      [] {
        attach();
        ASSERT_TRUE(thread_take_heap());
        hand_over(20, 5 * kRegion);
        shelf().wanted = 0;
        const std::size_t bytes = shelf_passed_on_bytes();
        ASSERT_NE(bytes, 0u);
        allocate(3 * kRegion);
        EXPECT_EQ(shelf_passed_on_bytes(), bytes);
        const std::size_t used = span_statistics().used;
        EXPECT_EQ(large_usable(allocate(4 * kRegion)), 5 * kRegion);
        EXPECT_EQ(span_statistics().used, used);
      },
      kBudget);
}

TEST(PassedOn, GoesBackInTimeAndAtOnceWhereItMust) {
  for (const bool at_once : {false, true}) {
    in_child(
        [at_once] {
          attach();
          ASSERT_TRUE(thread_take_heap());
          hand_over(40, 3 * kRegion);
          ASSERT_NE(shelf_passed_on_bytes(), 0u);
          for (int i = 0; i < 100000 && shelf_passed_on_bytes() != 0; ++i) {
            at_once ? shelves_clear() : static_cast<void>(shelf_tick(shelf()));
            std::this_thread::sleep_for(std::chrono::microseconds(100));
          }
          EXPECT_EQ(span_statistics().used, 0u);
          EXPECT_EQ(large_live_bytes(), 0u);
        },
        at_once ? kBudget : kShortDelay);
  }
}

// It is worth a visit to a thread that needs none, as a shelf of its own is.
TEST(PassedOn, BringsThreadsToTheSlowDoor) {
  in_child(
      [] {
        attach();
        ASSERT_TRUE(thread_take_heap());
        hand_over(40, 3 * kRegion);
        spans_purge_all();
        ASSERT_EQ(span_statistics().dirty, 0u);
        ASSERT_EQ(shelf().bytes, 0u);
        EXPECT_NE(shelf_tick(shelf()), 0u);
        shelves_clear();
        spans_purge_all();
        EXPECT_EQ(shelf_tick(shelf()), 0u);
      },
      kBudget);
}

// What a thread allocates and frees itself stays with it, however full its shelf is.
TEST(PassedOn, AreNoLengthsThatTheThreadUses) {
  in_child(
      [] {
        attach();
        ASSERT_TRUE(thread_take_heap());
        std::thread([] {
          attach();
          ASSERT_TRUE(thread_take_heap());
          std::vector<char*> objects(200);
          for (unsigned i = 0; i < 20000; ++i) {
            char*& p = objects[i * 7 % objects.size()];
            if (p != nullptr) large_free(p);
            p = allocate((i % 16 + 1) * kRegion);
            ASSERT_EQ(shelf_passed_on_bytes(), 0u);
          }
          thread_end();
        }).join();
      },
      kBudget);
}

TEST(PassedOn, ThreadsHandLargeObjectsOnAtAnyMoment) {
  in_child(
      [] {
        constexpr unsigned kThreads = 3;
        std::atomic<unsigned> working{kThreads};
        std::vector<std::atomic<char*>> places(50);
        attach();
        std::vector<std::thread> threads;
        for (unsigned seed = 1; seed <= kThreads; ++seed) {
          threads.emplace_back([&, seed] {
            attach();
            EXPECT_TRUE(thread_take_heap());
            for (unsigned i = 0; i < 20000; ++i) {
              char* p = allocate((i * seed % 5 + 1) * kRegion);
              EXPECT_NE(p, nullptr);
              std::memcpy(p, &p, sizeof(char*));
              p = places[(i * 7 + seed) % places.size()].exchange(p);
              if (p == nullptr) continue;
              EXPECT_EQ(std::memcmp(p, &p, sizeof(char*)), 0);
              std::memset(p, 0, sizeof(char*));  // of two owners the second finds this
              large_free(p);
            }
            --working;
            thread_end();
          });
        }
        while (working != 0) {
          shelves_clear();
          std::this_thread::sleep_for(std::chrono::microseconds(100));
        }
        for (std::thread& thread : threads) thread.join();
        for (std::atomic<char*>& place : places) {
          if (place != nullptr) large_free(place);
        }
        cache_flush_all();
        shelves_clear();
        EXPECT_EQ(span_statistics().used, 0u);
        EXPECT_EQ(large_live_bytes(), 0u);
      },
      kBudget);
}

}  // namespace
}  // namespace hakmem
