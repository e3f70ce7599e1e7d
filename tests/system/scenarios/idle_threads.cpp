// What many threads that wait hold: little when they did little, nothing after hak_thread_idle.
#include <barrier>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "support/opaque.hpp"
#include "support/pattern.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

void allocate_touch_and_free(unsigned seed, std::size_t count) {
  std::mt19937 random(seed);
  std::vector<void*> objects(count);
  for (void*& p : objects) {
    p = std::malloc(16 + random() % 2000);
    REQUIRE(p != nullptr);
    static_cast<char*>(opaque(p))[0] = 1;
  }
  for (void* p : objects) std::free(p);
}

// Threads that go through stages together with the main thread.
class Crew {
 public:
  template <class Stages>
  Crew(unsigned size, Stages stages) : meeting_(size + 1) {
    for (unsigned i = 0; i < size; ++i) {
      threads_.emplace_back([this, stages, i] { stages(i, [this] { meet(); }); });
    }
  }
  void meet() { meeting_.arrive_and_wait(); }
  void join() {
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::barrier<> meeting_;
  std::vector<std::thread> threads_;
};

// Bytes that programs or caches hold, the main thread's cache aside.
std::size_t held_bytes() {
  hak_collect(true);
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.fsmblks;
}

}  // namespace

SCENARIO(threads_that_did_little_cost_little) {
  constexpr unsigned kThreads = 400;
  constexpr std::size_t kMost = 120u << 10;
  const std::size_t before = scenario::resident_bytes();
  Crew crew(kThreads, [](unsigned i, auto meet) {
    allocate_touch_and_free(i, 100);
    meet();
    meet();
  });
  crew.meet();
  const std::size_t each = (scenario::resident_bytes() - before) / kThreads;
  std::printf("%.1f KiB a thread\n", static_cast<double>(each) / 1024);
  crew.meet();
  crew.join();
  REQUIRE(each <= kMost);
}

SCENARIO(idle_threads_hold_nothing) {
  Crew crew(100, [](unsigned i, auto meet) {
    meet();  // started
    meet();
    allocate_touch_and_free(i, 1000);
    meet();  // caches are full
    meet();
    hak_thread_idle();
    hak_thread_idle();
    meet();  // idle
    meet();
    // It goes on, and may idle again.
    for (int round = 0; round < 3; ++round) {
      allocate_touch_and_free(i, 300);
      void* const kept = std::malloc(100);
      pattern::fill(kept, 100, i);
      hak_thread_idle();
      REQUIRE(pattern::holds(kept, 100, i));
      std::free(kept);
    }
  });
  crew.meet();
  const std::size_t started = held_bytes();
  crew.meet();
  crew.meet();
  REQUIRE(held_bytes() > started + (1u << 20));
  crew.meet();
  crew.meet();
  const std::size_t idle = held_bytes();
  std::printf("bytes held: %zu at the start, %zu idle\n", started, idle);
  REQUIRE(idle <= started);
  crew.meet();
  crew.join();
  REQUIRE(held_bytes() <= started);
}
