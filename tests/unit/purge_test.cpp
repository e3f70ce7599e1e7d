// Dirty spans: when they are purged, and what that leaves.
#include <sched.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "hakmem/os/lock.hpp"
#include "hakmem/os/memory.hpp"
#include "hakmem/os/system.hpp"
#include "spans_support.hpp"

namespace hakmem {
namespace {

#ifdef __x86_64__  // emulators may ignore the advice to purge

TEST(Purge, ByLimitTheOldestFirst) {
  in_child(
      [] {
        // Pairs: one to free, one that stays between, so that nothing merges.
        std::vector<Descriptor*> freed;
        for (int i = 0; i < 64; ++i) {
          freed.push_back(take(1));
          take(1);
        }
        const std::size_t limit = 8;  // regions
        for (std::size_t i = 0; i < freed.size(); ++i) {
          span_free(freed[i]);
          const std::size_t waiting = std::min(i + 1, limit);
          ASSERT_EQ(span_statistics().dirty, waiting << kRegionShift);
          for (std::size_t j = 0; j <= i; ++j) {
            ASSERT_EQ(pattern::is_zero(memory_of(freed[j]), kRegionBytes), j + limit <= i)
                << j << " of " << i;
          }
        }
        EXPECT_EQ(span_statistics().purges, freed.size() - limit);
      },
      {{"HAKMEM_DIRTY_LIMIT", "512K"}, {"HAKMEM_PURGE_DELAY", "1000000000"}});
}

// What waits and fits nobody is not kept while the heap grows; nor more of it given back than
// needed.
TEST(Purge, ByShareWhenTheHeapGrowsBesideWhatWaits) {
  in_child(
      [] {
        std::vector<Descriptor*> freed;
        for (int i = 0; i < 20; ++i) {
          freed.push_back(take(100));
          take(1);
        }
        const std::size_t most = 20 * 101;
        for (Descriptor* span : freed) span_free(span);
        EXPECT_EQ(span_statistics().dirty, 2000 * kRegionBytes);  // no more than was in use
        take(600);
        const std::size_t used = 20 + 600;
        EXPECT_EQ(span_statistics().dirty, (most + most / 4 - used) * kRegionBytes);
        EXPECT_TRUE(pattern::is_zero(memory_of(freed[0]) + 50 * kRegionBytes, kRegionBytes));
        EXPECT_FALSE(pattern::is_zero(memory_of(freed[19]), kRegionBytes));
        take(100);  // fits: nothing is fresh
        EXPECT_EQ(span_statistics().dirty, (most + most / 4 - used - 100) * kRegionBytes);
      },
      {{"HAKMEM_ARENA_BYTES", "8G"},
       {"HAKMEM_PURGE_DELAY", "1000000000"},
       {"HAKMEM_DIRTY_LIMIT", "100G"},
       {"HAKMEM_DIRTY_SHARE", "25"}});
}

// A small old rest does not take a large span along that was just freed, nor do small ones that
// come and go keep a large one that rests.
TEST(Purge, AMergedSpanHasTheAgeOfItsLargerPart) {
  const auto is_as_old_as_the_first = [](std::size_t first, std::size_t second, bool expected) {
    in_child(
        [=] {
          Descriptor* early = take(first);
          Descriptor* late = take(second);
          take(1);
          span_free(early);
          const std::uint64_t since = early->free.since;
          while (os::coarse_milliseconds() == since) sched_yield();
          span_free(late);
          EXPECT_EQ(early->regions, first + second);
          EXPECT_EQ(early->free.since == since, expected);
        },
        kNeverPurge);
  };
  is_as_old_as_the_first(1, 10, false);
  is_as_old_as_the_first(10, 1, true);
  is_as_old_as_the_first(20, 20, true);
}

// What is left of a young span when a part of it was taken, or came back, does not overtake older
// ones, although something younger still was freed meanwhile.
TEST(Purge, TheRestOfAYoungSpanWaitsItsTurn) {
  for (const bool comes_back : {false, true}) {
    in_child(
        [comes_back] {
          std::vector<Descriptor*> spans;
          for (const std::size_t regions : {10u, 4u, 1u, 4u}) {
            spans.push_back(take(regions));
            take(1);
          }
          for (std::size_t i = 0; i < 3; ++i) {
            span_free(spans[i]);
            const std::uint64_t now = os::coarse_milliseconds();
            while (os::coarse_milliseconds() == now) sched_yield();
          }
          Descriptor* part = take(comes_back ? 3 : 2);
          ASSERT_EQ(part, spans[1]);
          if (comes_back) {
            span_free(part);
            part = take(3);
            ASSERT_EQ(part, spans[1]);
          }
          const std::size_t rest = 4 - part->regions;
          scribble(spans[3]);
          span_free(spans[3]);  // one or two regions more than may wait
          EXPECT_EQ(span_statistics().purges, 1u);
          EXPECT_TRUE(pattern::is_zero(memory_of(spans[0]), bytes_of(spans[0])));
          EXPECT_FALSE(pattern::is_zero(memory_of(part + part->regions), rest << kRegionShift));
          EXPECT_EQ(span_statistics().dirty, (rest + 1 + 4) << kRegionShift);
        },
        {{"HAKMEM_DIRTY_LIMIT", "960K"}, {"HAKMEM_PURGE_DELAY", "1000000000"}});
  }
}

TEST(Purge, ByAge) {
  in_child(
      [] {
        Descriptor* span = take(4);
        take(1);
        span_free(span);
        EXPECT_FALSE(pattern::is_zero(memory_of(span), kRegionBytes));
        const std::uint64_t freed = os::coarse_milliseconds();
        while (os::coarse_milliseconds() < freed + 30) {
          spans_tick(os::coarse_milliseconds());
          sched_yield();
        }
        spans_tick(os::coarse_milliseconds());
        EXPECT_EQ(span_statistics().dirty, 0u);
        EXPECT_EQ(span_statistics().clean, 4 * kRegionBytes);
        EXPECT_EQ(span_statistics().purges, 1u);
        const Span again = span_allocate(4);
        EXPECT_EQ(again.head, span);
        EXPECT_TRUE(again.zero);
        EXPECT_TRUE(pattern::is_zero(memory_of(again.head), bytes_of(again.head)));
      },
      {{"HAKMEM_PURGE_DELAY", "30"}, {"HAKMEM_DIRTY_LIMIT", "1G"}});
}

TEST(Purge, NotBeforeItsTime) {
  in_child(
      [] {
        span_free(take(4));
        spans_tick(os::coarse_milliseconds());
        EXPECT_EQ(span_statistics().purges, 0u);
        EXPECT_EQ(span_statistics().dirty, 4 * kRegionBytes);
        EXPECT_EQ(spans_purge_all(), 4 * kRegionBytes);
        EXPECT_EQ(spans_purge_all(), 0u);
      },
      kNeverPurge);
}

TEST(Purge, AtOnceInTheLeanProfile) {
  in_child(
      [] {
        for (int i = 0; i < 10; ++i) {
          span_free(take(3));
          EXPECT_EQ(span_statistics().dirty, 0u);
        }
        EXPECT_EQ(span_statistics().purges, 10u);
      },
      {{"HAKMEM_PROFILE", "lean"}});
}

TEST(Purge, BitmapsGoAlongAsFarAsTheyAreAccessible) {
  in_child(
      [] {
        constexpr std::size_t kRegions = 256;  // bitmaps of whole pages, however large pages are
        const auto calls_to_purge = [](Descriptor* span) {
          const std::uint64_t before = os::memory_calls();
          span_free(span);
          EXPECT_EQ(spans_purge_all(), kRegions * kRegionBytes);
          return os::memory_calls() - before;
        };
        calls_to_purge(take(kRegions));  // the first time purging is tried out
        EXPECT_EQ(calls_to_purge(take(kRegions)), 2u);
        Descriptor* span = take(kRegions);
        ASSERT_EQ(region_of(span), 0u);
        ASSERT_TRUE(span_open_remote_bits(span));
        char* const bits[] = {arenas[0].local_bits.base, arenas[0].remote_bits.base};
        const std::size_t bytes = kRegions * arenas[0].remote_bits.element_bytes;
        for (char* each : bits) std::memset(each, 1, bytes);
        EXPECT_EQ(calls_to_purge(span), 3u);
        for (char* each : bits) EXPECT_TRUE(pattern::is_zero(each, bytes));
      },
      kNeverPurge);
}

TEST(Purge, WhatTheSystemRefusesStaysDirtyAndIsUsedAgain) {
  in_child(
      [] {
        Descriptor* span = take(2);
        take(1);
        spans_purge_all();
        static_cast<void>(os::purge(memory_of(span), kRegionBytes));  // its self-test is over
        scribble(span);
        span_free(span);
        os::fail_memory_call(1);
        EXPECT_EQ(spans_purge_all(), 0u);
        EXPECT_EQ(span_statistics().dirty, 2 * kRegionBytes);
        EXPECT_FALSE(pattern::is_zero(memory_of(span), kRegionBytes));
        EXPECT_EQ(spans_purge_all(), 0u);  // not offered again
        const Span again = span_allocate(2);
        EXPECT_EQ(again.head, span);
        EXPECT_FALSE(again.zero);
        span_free(again.head);
        EXPECT_EQ(spans_purge_all(), 2 * kRegionBytes);  // a new life, a new offer
      },
      kNeverPurge);
}

// A thread reads the clock, waits for the lock, and finds there a span that was freed after its
// reading: that span is young, not ages old.
TEST(Purge, AnOlderClockReadingPurgesNothing) {
  in_child(
      [] {
        Descriptor* early = take(1);
        take(1);
        Descriptor* late = take(1);
        take(1);
        spans_locks(&os::Lock::lock);
        std::atomic<bool> about_to_free{false};
        std::thread waiter([&] {
          about_to_free = true;
          span_free(early);
        });
        while (!about_to_free) sched_yield();
        const std::uint64_t start = os::coarse_milliseconds();
        while (os::coarse_milliseconds() < start + 50) sched_yield();
        os::holds_every_lock = true;
        span_free(late);
        os::holds_every_lock = false;
        spans_locks(&os::Lock::unlock);
        waiter.join();
        EXPECT_EQ(span_statistics().purges, 0u);
        EXPECT_EQ(span_statistics().dirty, 2 * kRegionBytes);
      },
      kNeverPurge);
}

#endif

}  // namespace
}  // namespace hakmem
