#include "hakmem/api/janitor.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "hakmem/config/options.hpp"
#include "hakmem/front/thread.hpp"
#include "hakmem/heap/holes.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/os/system.hpp"

namespace hakmem {

constinit std::atomic<bool> janitor_missing{false};

namespace {

// What the thread's own calls need; thread-local storage of the program comes on top.
constexpr std::size_t kStackBytes = std::size_t{64} << 10;
constexpr std::uint64_t kShortestPause = 20, kLongestPause = 1000;  // milliseconds
// Caches wait for the next thread for so many rounds in which nothing else happens.
constexpr unsigned kQuietRounds = 8;

[[noreturn]] void* work(void*) {
  const auto shortest = std::clamp(config::purge_delay() / 2, kShortestPause, kLongestPause);
  std::uint64_t pause = shortest;
  unsigned quiet = 0;
  for (;;) {
    os::pause_microseconds(static_cast<unsigned>(pause * 1000));
    // A process that rests is woken less and less.
    if (memory_waits() || shelf_passed_on_bytes() != 0) {
      pause = shortest;
      quiet = 0;
    } else {
      pause = std::min(pause * 2, kLongestPause);
      if (++quiet == kQuietRounds) parked_caches_release();
    }
    for_each_heap([](Heap* heap) { help_waiting(heap); });
    memory_tick();
    shelves_tick(os::coarse_milliseconds());
    holes_finish_round();
  }
}

}  // namespace

void janitor_request() {
  if (config::background() != 0) janitor_missing.store(true, std::memory_order_relaxed);
}

// No signal of the program's reaches the thread. Where it cannot be had the process does without.
HAK_COLD void janitor_start() {
  // pthread_create allocates, and comes back here.
  if (!janitor_missing.exchange(false, std::memory_order_relaxed)) return;
  const KeepErrno keep;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return;
  const auto least = static_cast<std::size_t>(std::max(sysconf(_SC_THREAD_STACK_MIN), 0L));
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackBytes + least);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  pthread_create(&thread, &attributes, work, nullptr);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
}

}  // namespace hakmem
