// A thread allocates much and sleeps; what others free of it is not stranded.
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <latch>
#include <random>
#include <thread>
#include <vector>

#include "support/opaque.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

constexpr std::size_t kMuch = 256u << 20;
constexpr unsigned kOthers = 2;

using Objects = std::vector<void*>;

// Touched objects of 16 to 2,015 bytes, `bytes` in all.
Objects allocate(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  Objects objects;
  objects.reserve(bytes / 900);
  for (std::size_t got = 0; got < bytes;) {
    const std::size_t size = 16 + random() % 2000;
    auto* const p = static_cast<char*>(std::malloc(size));
    REQUIRE(p != nullptr);
    opaque(p)[0] = opaque(p)[size - 1] = 1;
    objects.push_back(p);
    got += size;
  }
  return objects;
}

// The thread that sleeps, from when it has allocated until it is woken.
class Sleeper {
 public:
  Sleeper() { ready_.wait(); }
  ~Sleeper() {
    morning_.count_down();
    thread_.join();
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // Frees every object, in an order as the threads please.
  void freed_by_others() {
    std::vector<std::thread> others;
    std::atomic<std::size_t> next{0};
    for (unsigned t = 0; t < kOthers; ++t) {
      others.emplace_back([&] {
        for (std::size_t i; (i = next.fetch_add(1)) < objects_.size();) std::free(objects_[i]);
      });
    }
    for (std::thread& other : others) other.join();
  }

 private:
  Objects objects_;
  std::latch ready_{1};
  std::latch morning_{1};
  std::thread thread_{[this] {
    objects_ = allocate(kMuch, 1);
    ready_.count_down();
    morning_.wait();
    for (void* p : allocate(1u << 20, 2)) std::free(p);
  }};
};

// An ordinary thread at work: a table of objects, replaced at random.
class Worker {
 public:
  ~Worker() {
    for (void* p : table_) std::free(p);
  }
  void work(int operations) {
    for (int i = 0; i < operations; ++i) {
      void*& place = table_[random_() % table_.size()];
      std::free(place);
      place = std::malloc(16 + random_() % 2000);
    }
  }

 private:
  std::mt19937 random_{7};
  Objects table_ = Objects(2000);
};

}  // namespace

// Freed memory may wait for half a second: the pauses let it pass, the operations do the work.
SCENARIO(sleeping_owner_strands_nothing) {
  const std::size_t before = scenario::resident_bytes();
  Sleeper sleeper;
  const std::size_t full = scenario::resident_bytes();
  REQUIRE(full > before + kMuch / 2);
  sleeper.freed_by_others();
  const std::size_t wanted = full - (full - before) / 5 * 4;
  Worker worker;
  constexpr int kOperations = 1000;
  int rounds = 0;
  for (; scenario::resident_bytes() > wanted; ++rounds) {
    REQUIRE(rounds < 2000);
    worker.work(kOperations);
    usleep(1000);
  }
  std::printf("KiB resident: %zu before, %zu full, %zu after %d operations\n", before >> 10,
              full >> 10, scenario::resident_bytes() >> 10, rounds * kOperations);
}

// Large objects of slabs are freed within milliseconds, and then nobody does anything any more: who
// freed them has given back what it could.
SCENARIO(sleeping_owner_is_helped_at_once) {
  constexpr std::size_t kSize = 20000;
  Objects objects(kMuch / kSize);
  std::latch morning(1);
  std::latch ready(1);
  std::thread sleeper([&] {
    for (void*& p : objects) *static_cast<char*>(p = opaque(std::malloc(kSize))) = 1;
    ready.count_down();
    morning.wait();
  });
  ready.wait();
  usleep(100000);
  for (void* p : objects) std::free(p);
  hak_stats_t s;
  hak_stats(&s);
  std::printf("KiB: in use %zu, waiting in slabs %zu, given up %zu\n", (s.live + s.cached) >> 10,
              s.free >> 10, (s.dirty + s.purged) >> 10);
  REQUIRE(s.live + s.cached + s.free < kMuch / 8);
  morning.count_down();
  sleeper.join();
}

SCENARIO(sleeping_owners_memory_serves_others) {
  Sleeper sleeper;
  const std::size_t peak = scenario::peak_resident_bytes();
  sleeper.freed_by_others();
  usleep(50000);  // until others may know that it sleeps
  std::vector<std::thread> others;
  std::latch all(kOthers);
  for (unsigned t = 0; t < kOthers; ++t) {
    others.emplace_back([&all, t] {
      const Objects objects = allocate(kMuch / kOthers, 3 + t);
      all.arrive_and_wait();
      for (void* p : objects) std::free(p);
    });
  }
  for (std::thread& other : others) other.join();
  std::printf("peak, KiB: %zu, then %zu\n", peak >> 10, scenario::peak_resident_bytes() >> 10);
  // While nothing that waits fits, the heap may grow by a fifth (HAKMEM_DIRTY_SHARE).
  REQUIRE(scenario::peak_resident_bytes() < peak + peak / 4);
}
