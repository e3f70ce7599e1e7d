// Tripwires in a thread's arrays bring it to the slow door while memory waits to be given back.
#include <unistd.h>

#include <random>
#include <set>
#include <vector>

#include "front_support.hpp"

namespace hakmem {
namespace {

#ifdef __x86_64__  // emulators may ignore the advice to purge

// Of a size that is worth looking after.
void leave_a_span_waiting() { span_free(span_allocate(400).head); }

std::uint64_t held(unsigned c) {
  const BinCounters& n = counters(c);
  return n.carved + n.refilled - n.flushed - n.collected;
}

// A thread lives off its cache, and allocates little: and the spans that wait are given back all
// the same.
TEST(Tripwires, BringAThreadThatNeverMissesToTheSlowDoor) {
  in_child(
      [] {
        attach();
        std::vector<void*> objects;
        for (int i = 0; i < 100; ++i) objects.push_back(take(8));
        for (void* p : objects) give(8, p);
        leave_a_span_waiting();
        for (unsigned c = 9; c < 20; ++c) give(c, take(c));  // visits: wires are laid
        while (span_statistics().dirty != 0) {
          give(8, take(8));
          usleep(500);
        }
      },
      {{"HAKMEM_PURGE_DELAY", "20"}});
}

// Random pops and pushes with wires all the time.
TEST(Tripwires, LoseNothingAndHandOutNothingTwice) {
  in_child(
      [] {
        attach();
        leave_a_span_waiting();  // for ever
        std::mt19937 random(5);
        constexpr unsigned kUsed[] = {0, 1, 8, 19, 30};
        std::vector<std::pair<unsigned, void*>> live;
        std::set<void*> out;
        for (int step = 0; step < 200000; ++step) {
          const std::size_t wanted = 500 + 400 * (step / 5000 % 4);
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

#endif

}  // namespace
}  // namespace hakmem
