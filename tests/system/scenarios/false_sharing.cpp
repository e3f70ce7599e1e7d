// No cache line holds objects that were allocated by two threads: Hoard's cache-thrash (small
// objects allocated by threads in turn) and cache-scratch (objects handed to threads, which free
// them and allocate anew), decided by the addresses.
#include <algorithm>
#include <barrier>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "system/scenarios/scenario.hpp"

namespace {

constexpr std::size_t kThreads = 4;
constexpr std::size_t kLine = 64;
using Objects = std::vector<void*>;
using Hands = std::vector<Objects>;  // what each thread has allocated

void require_no_line_in_two_hands(const Hands& hands) {
  std::vector<std::pair<std::uintptr_t, std::size_t>> lines;
  for (std::size_t t = 0; t < hands.size(); ++t) {
    for (void* p : hands[t]) lines.emplace_back(reinterpret_cast<std::uintptr_t>(p) / kLine, t);
  }
  std::sort(lines.begin(), lines.end());
  for (std::size_t i = 1; i < lines.size(); ++i) {
    REQUIRE(lines[i].first != lines[i - 1].first || lines[i].second == lines[i - 1].second);
  }
}

void release(Objects& objects) {
  for (void* p : std::exchange(objects, {})) std::free(p);
}

// All threads at once: `body(thread, turn)`, where `turn(action)` lets them act one by one.
template <class Body>
void in_threads(Body body) {
  std::barrier<> meeting(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      body(t, [&](auto action) {
        for (std::size_t i = 0; i < kThreads; ++i) {
          if (i == t) action();
          meeting.arrive_and_wait();
        }
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// The threads allocate in turn, the first (starter) objects of a thread included.
void thrash(std::size_t size, Hands& hands, std::size_t rounds) {
  in_threads([&](std::size_t t, auto turn) {
    for (int again = 0; again < 2; ++again) {
      for (std::size_t round = 0; round < rounds; ++round) {
        turn([&] { hands[t].push_back(std::malloc(size)); });
      }
      turn([&] {
        if (t == 0) require_no_line_in_two_hands(hands);
      });
      release(hands[t]);
      turn([] {});
    }
  });
}

// One thread's objects lie side by side; the others get them, free them and allocate anew.
void scratch(std::size_t size, Hands& hands, std::size_t each) {
  Hands gifts(kThreads);
  for (std::size_t i = 0; i < each * kThreads; ++i) {
    gifts[i % kThreads].push_back(std::malloc(size));
  }
  Objects& mine = hands[kThreads];  // the giver goes on, too
  in_threads([&](std::size_t t, auto turn) {
    release(gifts[t]);
    for (std::size_t i = 0; i < each; ++i) {
      turn([&] {
        hands[t].push_back(std::malloc(size));
        // One object at a time through free and malloc.
        std::free(std::exchange(hands[t].front(), std::malloc(size)));
      });
    }
    turn([&] {
      if (t == 0) require_no_line_in_two_hands(hands);
    });
    release(hands[t]);
  });
  for (std::size_t i = 0; i < each; ++i) mine.push_back(std::malloc(size));
  release(mine);
}

}  // namespace

SCENARIO(no_line_is_shared_by_threads_in_turn) {
  for (std::size_t size = 8; size <= 64; size += 8) {
    Hands hands(kThreads);
    thrash(size, hands, 200);
  }
}

SCENARIO(no_line_is_shared_after_objects_were_handed_over) {
  for (std::size_t size = 8; size <= 64; size += 8) {
    Hands hands(kThreads + 1);
    scratch(size, hands, 100);
  }
}

// Threads of one generation have the heaps and the starter slabs of those before them.
SCENARIO(no_line_is_shared_by_short_threads) {
  const auto generations = static_cast<std::size_t>(scenario::scaled(100));
  for (std::size_t generation = 0; generation < generations; ++generation) {
    Hands hands(kThreads + 1);
    thrash(8 + generation % 8 * 8, hands, 1 + generation % 40);
    scratch(8 + generation % 8 * 8, hands, 1 + generation % 7 * 5);
  }
}
