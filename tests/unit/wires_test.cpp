// Tripwires in a thread's arrays bring it to the slow door while memory waits to be given back.
#include <unistd.h>

#include <random>
#include <set>
#include <thread>
#include <vector>

#include "front_support.hpp"
#include "hakmem/large/large.hpp"
#include "hakmem/os/memory.hpp"
#include "support/share.hpp"

namespace hakmem {
namespace {

#ifdef __x86_64__  // emulators may ignore the advice to purge

// Of a size that is worth looking after.
void leave_a_span_waiting(std::size_t regions = 400) { span_free(span_allocate(regions).head); }

std::uint64_t held(unsigned c) {
  const BinCounters& n = counters(c);
  return n.carved + n.refilled - n.flushed - n.collected;
}

// A hundred objects of a class lie in the thread's array.
void fill_array(unsigned c) {
  std::vector<void*> objects;
  for (int i = 0; i < 100; ++i) objects.push_back(take(c));
  for (void* p : objects) give(c, p);
}

void take_and_give(unsigned c, int times) {
  for (int i = 0; i < times; ++i) give(c, take(c));
}

// The thread takes and frees one object again and again, until `done`.
template <typename Done>
void live_off_one_object(unsigned c, Done done, int times = 1) {
  for (int i = 0; !done(); ++i) {
    ASSERT_LT(i, 20000);
    take_and_give(c, times);
    usleep(500);
  }
}

// A thread lives off its cache, and allocates little: and the spans that wait are given back all
// the same.
TEST(Wires, BringAThreadThatNeverMissesToTheSlowDoor) {
  in_child(
      [] {
        attach();
        fill_array(8);
        leave_a_span_waiting();
        for (unsigned c = 9; c < 20; ++c) give(c, take(c));  // visits: wires are laid
        live_off_one_object(8, [] { return span_statistics().dirty == 0; });
      },
      {{"HAKMEM_PURGE_DELAY", "20"}});
}

// The same with many objects a millisecond, and a clock that may stand still meanwhile.
TEST(Wires, AreMetAsOftenAsItTakes) {
  in_child(
      [] {
        attach();
        fill_array(8);
        leave_a_span_waiting();
        for (unsigned c = 9; c < 20; ++c) give(c, take(c));
        take_and_give(8, 5000);
        live_off_one_object(
            8, [] { return span_statistics().dirty == 0; }, 300);
      },
      {{"HAKMEM_PURGE_DELAY", "20"}});
}

// A thread that meets many wires, and comes often to the slow door without them, soon has none; one
// visit is not often.
TEST(Wires, AreFewWhereAThreadComesByItself) {
  in_child(
      [] {
        attach();
        fill_array(8);
        leave_a_span_waiting();  // for ever
        for (unsigned c = 9; c < 20; ++c) give(c, take(c));
        take_and_give(8, 5000);
        give(20, take(20));
        take_and_give(8, 1);
        ASSERT_FALSE(cache.thread->busy);
        ASSERT_NE(cache.thread->wires[8], 0);
        for (int i = 0; !cache.thread->busy; ++i) {
          ASSERT_LT(i, 1000);
          take_and_give(8, 2000);
          for (unsigned c = 20; c < 30; ++c) fill_array(c);
          cache_flush_all();
          fill_array(8);
        }
        EXPECT_LT(cache.thread->trips, 100000u);  // it would be for those alone, later
      },
      {{"HAKMEM_PURGE_DELAY", "1000000000"}, {"HAKMEM_DIRTY_LIMIT", "100G"}});
}

#ifdef ADDRESS_SPACE_CAN_BE_LIMITED  // for no sanitizer is as fast
// Of threads that meet many wires in the same time the first goes on, and the next has none then.
TEST(Wires, AreFewWhereThreadsAreMany) {
  in_child(
      [] {
        attach();
        leave_a_span_waiting();  // for ever
        // A thread that meets a few, and does something then; whether it has no wires.
        const auto meet_few = [](auto then) {
          bool without = false;
          std::thread([&] {
            attach();
            ASSERT_TRUE(thread_take_heap());
            for (unsigned c = 8; c < 20; ++c) fill_array(c);
            take_and_give(8, 1200);
            ASSERT_EQ(cache.thread->visits_amid, 0u);
            without = cache.thread->busy;
            then();
            thread_end();
          }).join();
          return without;
        };
        bool first = true;
        bool second = false;
        for (int i = 0; i < 1000 && (first || !second); ++i) {  // a new time may begin in between
          first = meet_few([&] { second = meet_few([] {}); });
        }
        EXPECT_FALSE(first);
        EXPECT_TRUE(second);
      },
      {{"HAKMEM_PURGE_DELAY", "1000000000"},
       {"HAKMEM_DIRTY_LIMIT", "100G"},
       {"HAKMEM_WARM_HEAPS", "0"}});
}
#endif

// The same where nothing but large objects were freed: no array saw a visit meanwhile.
TEST(Wires, AreLaidByFreesOfLargeObjects) {
  in_child(
      [] {
        attach();
        fill_array(8);
        std::vector<void*> objects;
        for (int i = 0; i < 300; ++i) {
          objects.push_back(large_allocate(100'000, kMinAlignment, nullptr).p);
        }
        for (void* p : objects) large_free(p);
        live_off_one_object(8, [] {
          const SpanStatistics s = span_statistics();
          return s.used < std::size_t{2} << 20 && s.dirty == 0;
        });
      },
      {{"HAKMEM_PURGE_DELAY", "20"}});
}

// In a large heap a thread frees most of what there is, as fast as it can, and from then on takes
// and frees one object again and again: the pages that were freed are given back all the same.
TEST(Wires, AreNotBuriedByABurstOfFrees) {
  in_child(
      [] {
        if (os::page_size() > 16384) return;  // such slabs have no holes there
        attach();
        constexpr unsigned kClass = 8;
        const std::size_t size = kSizeClasses[kClass].size;
        std::vector<void*> objects;
        for (std::size_t i = 0; i < (std::size_t{160} << 20) / size; ++i) {
          objects.push_back(take(kClass));
          *static_cast<char*>(objects.back()) = 1;
        }
        for (std::size_t i = 0; i < objects.size(); ++i) {
          // Runs of some pages; the last ones of each stay, so that no slab gets empty.
          if (i % 256 < 224) give(kClass, objects[i]);
        }
        live_off_one_object(kClass, [] {
          return span_statistics().used - bytes_given_back < std::size_t{110} << 20;
        });
      },
      {{"HAKMEM_PURGE_DELAY", "20"}});
}

// The same in a heap that is not large, of which all is freed.
TEST(Wires, AreNotBuriedInASmallHeap) {
  in_child(
      [] {
        attach();
        constexpr unsigned kClass = 8;
        std::vector<void*> objects;
        for (std::size_t i = 0; i < (std::size_t{40} << 20) / kSizeClasses[kClass].size; ++i) {
          objects.push_back(take(kClass));
        }
        for (void* p : objects) give(kClass, p);
        live_off_one_object(kClass, [] {
          const SpanStatistics s = span_statistics();
          return s.used < std::size_t{2} << 20 && s.dirty == 0;
        });
      },
      {{"HAKMEM_PURGE_DELAY", "20"}});
}

// Random pops and pushes with wires all the time, all of which stay on top where the heap is large;
// and now and then a burst of frees.
class Tripwires : public testing::TestWithParam<std::size_t> {};

TEST_P(Tripwires, LoseNothingAndHandOutNothingTwice) {
  in_child(
      [] {
        attach();
        leave_a_span_waiting(GetParam());  // for ever
        std::mt19937 random(5);
        constexpr unsigned kUsed[] = {0, 1, 8, 19, 30};
        std::vector<std::pair<unsigned, void*>> live;
        std::set<void*> out;
        for (int step = 0; step < share_of(200000); ++step) {
          const std::size_t wanted = step / 5000 % 5 == 4 ? 0 : 500 + 400 * (step / 5000 % 4);
          if (live.size() < wanted && random() % 3 != 0) {
            const unsigned c = kUsed[random() % 5];
            void* p = take(c);
            ASSERT_EQ(region_id_of(p), tag_of_owner(current_heap->id) | slot_of_class(c));
            ASSERT_TRUE(out.insert(p).second);
            live.emplace_back(c, p);
          } else if (!live.empty()) {
            std::swap(live[random() % live.size()], live.back());
            out.erase(live.back().second);
            give(live.back().first, live.back().second);
            live.pop_back();
          }
          if (step % 20000 == 0) cache_flush_all();
        }
        for (const auto& [c, p] : live) give(c, p);
        cache_flush_all();
        for (const unsigned c : kUsed) {
          EXPECT_EQ(cached(c), 0u);
          EXPECT_EQ(held(c), 0u);
        }
      },
      {{"HAKMEM_PURGE_DELAY", "1000000000"}, {"HAKMEM_DIRTY_LIMIT", "100G"}});
}

INSTANTIATE_TEST_SUITE_P(Regions, Tripwires, testing::Values(400, 2500));

#endif

}  // namespace
}  // namespace hakmem
