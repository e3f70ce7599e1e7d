// Threads fork while they end: in destructors of thread_local objects and of keys, before and after
// the library has taken the thread's cache, while others start and end.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "support/pattern.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

constexpr std::size_t kSizes[] = {24, 600, 5000, 70000};

struct Objects {
  void* p[std::size(kSizes)];

  void allocate() {
    for (std::size_t i = 0; i < std::size(kSizes); ++i) {
      p[i] = std::malloc(kSizes[i]);
      REQUIRE(p[i] != nullptr);
      pattern::fill(p[i], kSizes[i], i);
    }
  }
  void release() {
    for (std::size_t i = 0; i < std::size(kSizes); ++i) {
      REQUIRE(pattern::holds(p[i], kSizes[i], i));
      std::free(p[i]);
    }
  }
};

std::atomic<int> forks{0};

// The child frees what its parent had, allocates, and starts a thread that does the same.
void fork_here(Objects objects) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(50);
    objects.release();
    std::thread([] {
      Objects own{};
      own.allocate();
      own.release();
    }).join();
    objects.allocate();
    objects.release();
    malloc_trim(0);
    _exit(0);
  }
  ++forks;
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child && status == 0);
}

struct ForksWhenItsThreadEnds {
  Objects objects{};
  ForksWhenItsThreadEnds() { objects.allocate(); }
  ~ForksWhenItsThreadEnds() {
    fork_here(objects);
    objects.release();
  }
};
thread_local ForksWhenItsThreadEnds at_thread_end;

pthread_key_t key;

// Forks in each round in which destructors run: the last come after the library's own.
void fork_in_round(void* value) {
  const auto round = reinterpret_cast<std::uintptr_t>(value);
  Objects objects{};
  objects.allocate();
  fork_here(objects);
  objects.release();
  if (round < PTHREAD_DESTRUCTOR_ITERATIONS) {
    pthread_setspecific(key, reinterpret_cast<void*>(round + 1));
  }
}

}  // namespace

SCENARIO(fork_at_the_end_of_threads) {
  REQUIRE(pthread_key_create(&key, fork_in_round) == 0);
  std::atomic<bool> stop{false};
  std::vector<std::thread> others;
  for (int i = 0; i < 2; ++i) {
    others.emplace_back([&stop] {
      while (!stop) {
        std::thread([] {
          Objects own{};
          own.allocate();
          own.release();
        }).join();
      }
    });
  }
  const int rounds = scenario::scaled(20);
  for (int i = 0; i < rounds; ++i) {
    std::vector<std::thread> forkers;
    for (int k = 0; k < 3; ++k) {
      forkers.emplace_back([] {
        REQUIRE(at_thread_end.objects.p[0] != nullptr);
        pthread_setspecific(key, reinterpret_cast<void*>(1));
      });
    }
    for (std::thread& thread : forkers) thread.join();
  }
  stop = true;
  for (std::thread& thread : others) thread.join();
  // Of each thread one for the thread_local object, and one for each round of keys.
  REQUIRE(forks == rounds * 3 * (1 + PTHREAD_DESTRUCTOR_ITERATIONS));
}
