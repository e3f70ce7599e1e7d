// Short threads that leave objects for others to free, against the same done by one thread.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "support/opaque.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

constexpr std::size_t kLeft = 20000;  // objects that are there at any time
constexpr unsigned kObjects = 40;     // of each thread: half of them are left to others
constexpr std::size_t kConstant = 1u << 20;

// Objects whose next owner is whoever comes by.
struct Estate {
  std::mutex lock;
  std::vector<void*> objects = std::vector<void*>(kLeft);
};

void live(Estate& estate, unsigned seed) {
  std::mt19937 random(seed);
  void* own[kObjects];
  for (void*& p : own) {
    const std::size_t size = 16 + random() % 1000;
    p = std::malloc(size);
    REQUIRE(p != nullptr);
    static_cast<char*>(opaque(p))[0] = static_cast<char*>(opaque(p))[size - 1] = 1;
  }
  for (unsigned i = 0; i < kObjects; i += 2) {
    {
      const std::lock_guard guard(estate.lock);
      std::swap(own[i], estate.objects[random() % kLeft]);
    }
    std::free(own[i]);
    std::free(own[i + 1]);
  }
}

// Resident bytes at the end of the program `body`, a process of its own.
std::size_t resident_after(void (*body)(Estate&, unsigned)) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    Estate estate;
    body(estate, static_cast<unsigned>(scenario::scaled(20000)));
    const std::size_t resident = scenario::resident_bytes();
    _exit(write(ends[1], &resident, sizeof resident) == sizeof resident ? 0 : 1);
  }
  std::size_t resident = 0;
  int status = -1;
  REQUIRE(read(ends[0], &resident, sizeof resident) == sizeof resident);
  REQUIRE(waitpid(child, &status, 0) == child && status == 0);
  return resident;
}

void in_one_thread(Estate& estate, unsigned lives) {
  for (unsigned i = 0; i < lives; ++i) live(estate, i);
}

void in_a_thread_each(Estate& estate, unsigned lives) {
  constexpr unsigned kAtATime = 4;
  for (unsigned i = 0; i < lives; i += kAtATime) {
    std::vector<std::thread> threads;
    for (unsigned k = i; k < std::min(i + kAtATime, lives); ++k) {
      threads.emplace_back([&estate, k] { live(estate, k); });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace

SCENARIO(short_threads_hold_what_one_thread_holds) {
  const std::size_t one = resident_after(in_one_thread);
  const std::size_t many = resident_after(in_a_thread_each);
  std::printf("KiB resident: one thread %zu, short threads %zu\n", one >> 10, many >> 10);
  REQUIRE(many <= one + one / 5 + kConstant);
}
