// Pages are given back while threads allocate, free each other's objects, end, and fork.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "child.hpp"
#include "hakmem/arena/spans.hpp"
#include "hakmem/hakmem.h"

namespace hakmem {
namespace {

constexpr int kPlaces = 512;
std::atomic<unsigned char*> between[kPlaces];

std::size_t size_at(unsigned i) { return 16 + i * 97 % 5000; }

void fill(unsigned char* p, std::size_t size) {
  std::memcpy(p, &size, sizeof size);
  std::memset(p + sizeof size, static_cast<int>(size % 251), size - sizeof size);
}

// Ends the process when an object is not as it was filled.
void check_and_free(unsigned char* p) {
  if (p == nullptr) return;
  std::size_t size = 0;
  std::memcpy(&size, p, sizeof size);
  for (std::size_t i = sizeof size; i < size; ++i) {
    if (p[i] != size % 251) _exit(20);
  }
  hak_free(p);
}

// Allocates and frees what other threads allocated, now much and now little.
void swap_objects(unsigned seed, int rounds) {
  std::mt19937 random(seed);
  for (int round = 0; round < rounds; ++round) {
    const unsigned share = round % 4 == 0 ? 1 : 8;
    for (int i = 0; i < kPlaces; ++i) {
      const std::size_t size = size_at(static_cast<unsigned>(random()));
      unsigned char* p = nullptr;
      if (random() % share == 0) {
        p = static_cast<unsigned char*>(hak_malloc(size));
        if (p == nullptr) _exit(21);
        fill(p, size);
      }
      check_and_free(between[random() % kPlaces].exchange(p));
    }
  }
}

void free_all_between() {
  for (auto& place : between) check_and_free(place.exchange(nullptr));
}

TEST(Punching, WhileThreadsFreeEachOthersObjects) {
  in_child([] {
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 2; ++t) threads.emplace_back([t] { swap_objects(t, 60); });
    std::thread puncher([&] {
      while (!stop) {
        hak_collect(true);
        sched_yield();
      }
    });
    // Threads that end leave heaps to adopt from.
    for (unsigned t = 0; t < 6; ++t) std::thread([t] { swap_objects(50 + t, 4); }).join();
    for (std::thread& thread : threads) thread.join();
    stop = true;
    puncher.join();
    free_all_between();
    hak_collect(true);
    EXPECT_EQ(bytes_given_back.load(), 0u);
  });
}

TEST(Punching, ForkAmidAll) {
  in_child([] {
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    threads.emplace_back([&] {
      while (!stop) swap_objects(1, 2);
    });
    threads.emplace_back([&] {
      while (!stop) hak_collect(true);
    });
    for (int i = 0; i < 6; ++i) {
      unsigned char* mine[100];
      for (unsigned j = 0; j < 100; ++j) {
        mine[j] = static_cast<unsigned char*>(hak_malloc(size_at(j)));
        fill(mine[j], size_at(j));
      }
      for (unsigned j = 0; j < 100; ++j) {
        if (j % 10 != 0) check_and_free(std::exchange(mine[j], nullptr));
      }
      const pid_t child = fork();
      if (child == 0) {
        alarm(60);
        hak_collect(true);
        swap_objects(2, 4);
        hak_collect(true);
        for (unsigned char* p : mine) check_and_free(p);
        _exit(0);
      }
      int status = -1;
      while (waitpid(child, &status, 0) < 0) {
      }
      EXPECT_EQ(status, 0);
      for (unsigned char* p : mine) check_and_free(p);
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
    free_all_between();
  });
}

}  // namespace
}  // namespace hakmem
