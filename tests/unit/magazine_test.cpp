// Arrays adapt: they shrink where a thread idles and grow where it is short, within the budget.
#include <algorithm>
#include <vector>

#include "front_support.hpp"

namespace hakmem {
namespace {

constexpr unsigned kBusy = 1;  // 32 B: up to 2,047 places
const Environment kBudgetOfOneMiB{{"HAKMEM_CACHE_BUDGET", "1M"}};
constexpr unsigned kElsewhere = 39;  // 32 KiB: an array of few places

void go_round(unsigned c, unsigned count) {
  std::vector<void*> objects(count);
  for (void*& p : objects) p = take(c);
  for (void* p : objects) give(c, p);
}

void grow_fully(unsigned c) {
  for (int round = 0; round < 50; ++round) go_round(c, 1600);
  ASSERT_EQ(magazine(c).capacity, 2047u);
}

// Visits through the slow door, none of them for other classes.
void visit_elsewhere(int visits) {
  for (const std::uint32_t end = cache.thread->visits + static_cast<std::uint32_t>(visits);
       cache.thread->visits < end;) {
    go_round(kElsewhere, 2 * magazine(kElsewhere).capacity + 10u);
    ASSERT_EQ(cache.thread->budget_used, places_in_bytes());
  }
}

TEST(Magazines, EmptyAndShrinkWhereTheThreadIdles) {
  in_child(
      [] {
        attach();
        grow_fully(kBusy);
        EXPECT_GT(cached(kBusy), 1000u);
        unsigned before = magazine(kBusy).capacity;
        for (int i = 0; i < 100; ++i) {
          visit_elsewhere(800);  // one look at each class
          const unsigned now = magazine(kBusy).capacity;
          EXPECT_TRUE(now == before || now == before / 2);  // one step a look
          EXPECT_LE(cached(kBusy), now);
          before = now;
        }
        EXPECT_EQ(cached(kBusy), 0u);
        EXPECT_EQ(magazine(kBusy).capacity, 15u);
        EXPECT_LE(magazine(kBusy).batch, 8u);
        EXPECT_EQ(counters(kBusy).carved + counters(kBusy).refilled, counters(kBusy).flushed);
      },
      kBudgetOfOneMiB);
}

TEST(Magazines, ABatchMayBeFixed) {
  in_child(
      [] {
        attach();
        for (int i = 0; i < 320; ++i) take(kBusy);
        // At most half an array, which doubles: 16 objects first.
        EXPECT_EQ(counters(kBusy).carved, 16u + 10 * 32);
        EXPECT_EQ(counters(kBusy).carves, 11u);
        take(kElsewhere);
        EXPECT_EQ(counters(kElsewhere).carved, 1u);  // 32 KiB at most
      },
      {{"HAKMEM_CARVE_BATCH", "32"}});
}

TEST(Magazines, GrowAnewAfterTheyShrank) {
  in_child(
      [] {
        attach();
        grow_fully(kBusy);
        visit_elsewhere(40000);
        ASSERT_EQ(magazine(kBusy).capacity, 15u);
        grow_fully(kBusy);
        EXPECT_EQ(cache.thread->budget_used, places_in_bytes());
      },
      kBudgetOfOneMiB);
}

// A class that is used between two looks keeps what it has, even when it never visits.
TEST(Magazines, KeepWhatIsUsed) {
  in_child(
      [] {
        attach();
        grow_fully(kBusy);
        const std::uint64_t flushed = counters(kBusy).flushed;
        std::vector<void*> live;
        for (int i = 0; i < 100; ++i) {
          live.push_back(take(kBusy));  // out of the array: what it holds differs at each look
          visit_elsewhere(700);         // at most one look
        }
        EXPECT_EQ(magazine(kBusy).capacity, 2047u);
        EXPECT_EQ(counters(kBusy).flushed, flushed);
        for (void* p : live) give(kBusy, p);
      },
      kBudgetOfOneMiB);
}

// Words that arrays leave are used again by others.
TEST(Magazines, ShrinkingAndGrowingTakesNoMoreMetadata) {
  in_child(
      [] {
        attach();
        std::size_t metadata = 0;
        for (int i = 0; i < 6; ++i) {
          grow_fully(kBusy);
          visit_elsewhere(40000);
          if (i == 1) metadata = metadata_bytes();
        }
        EXPECT_EQ(metadata_bytes(), metadata);
      },
      kBudgetOfOneMiB);
}

// What waits in the outbox is sent off, although the thread frees nothing more.
TEST(Magazines, VisitsSendTheOutboxOff) {
  in_child(
      [] {
        attach();
        Heap* other = heap_acquire();
        void* foreign = nullptr;
        ASSERT_EQ(heap_refill(other, kSizeClasses[3], &foreign + 1, 1), 1u);
        outbox_add(cache.thread->outbox, foreign, region_id_anywhere(foreign));
        EXPECT_FALSE(is_pending(other));
        visit_elsewhere(256);
        EXPECT_EQ(cache.thread->outbox.charge, 0u);
        EXPECT_TRUE(is_pending(other));
      },
      kBudgetOfOneMiB);
}

}  // namespace
}  // namespace hakmem
