// First-class heaps in numbers, and under several threads at once.
#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "support/pattern.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

// A heap's short life: mostly empty, at times with small objects, now and then with a large one.
void live_and_die(int i) {
  hak_heap_t* const heap = hak_heap_new();
  REQUIRE(heap != nullptr);
  if (i % 8 == 0) {
    for (std::size_t size = 16; size < 3000; size = size * 2 + 8) {
      void* const p = hak_heap_malloc(heap, size);
      REQUIRE(p != nullptr);
      pattern::fill(p, size, size);
      if (i % 16 == 0) hak_free(p);
    }
  }
  if (i % 1000 == 0) {
    void* const p = hak_heap_calloc(heap, 1, 300000);
    REQUIRE(p != nullptr && pattern::is_zero(p, 300000));
    pattern::fill(p, 300000, 1);
  }
  hak_heap_destroy(heap);
}

constexpr std::size_t kSize = 200;

struct Mailbox {
  std::atomic<void*> object;
};

}  // namespace

SCENARIO(heaps_come_and_go_without_a_leak) {
  std::size_t after_warm_up = 0;
  const int cycles = scenario::scaled(1000000);
  for (int i = 0; i < cycles; ++i) {
    if (i == cycles / 100) after_warm_up = scenario::resident_bytes();
    live_and_die(i);
  }
  REQUIRE(scenario::resident_bytes() < after_warm_up + (1u << 20));
}

// Two threads draw objects from a heap while two others free into it.
SCENARIO(heap_freed_into_while_it_is_drained) {
  for (int round = 0; round < 5; ++round) {
    hak_heap_t* const heap = hak_heap_new();
    static std::array<Mailbox, 256> mailboxes;
    std::atomic<int> drawing{2};
    std::vector<std::thread> threads;
    std::atomic<std::size_t> drawn{0};
    std::atomic<std::size_t> freed{0};
    for (std::size_t t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        for (std::size_t i = 0; i < 50000; ++i) {
          void* const p = hak_heap_malloc(heap, kSize);
          REQUIRE(p != nullptr);
          pattern::fill(p, kSize, reinterpret_cast<std::uintptr_t>(p));
          ++drawn;
          // What nobody has fetched yet is freed here.
          if (void* const old = mailboxes[i % 256].object.exchange(p); old != nullptr) {
            ++freed;
            hak_free(old);
          }
        }
        --drawing;
      });
      threads.emplace_back([&] {
        for (bool last = false; !last;) {
          last = drawing == 0;
          for (Mailbox& mailbox : mailboxes) {
            void* const p = mailbox.object.exchange(nullptr);
            if (p == nullptr) continue;
            REQUIRE(pattern::holds(p, kSize, reinterpret_cast<std::uintptr_t>(p)));
            pattern::fill(p, kSize, 0);
            ++freed;
            hak_free(p);
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE(drawn == 100000 && freed == 100000);
    hak_heap_stats_t stats;
    hak_heap_stats(heap, &stats);
    REQUIRE(stats.live_objects == 0 && stats.live_bytes == 0);
    hak_heap_destroy(heap);
  }
}
