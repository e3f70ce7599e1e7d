// os::Lock: one holder at a time, sleepers are woken, and what fork needs.
#include <sched.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "child.hpp"
#include "hakmem/os/lock.hpp"

namespace hakmem::os {
namespace {

// `threads` threads, `rounds` times each: a holder sees nobody else inside. Returns the rounds
// done. Relaxed, so that nothing but the lock's own orders keeps ThreadSanitizer content.
long count_under_lock(int threads, int rounds, int yields_inside) {
  Lock lock;
  long sum = 0;  // not atomic on purpose
  std::atomic<int> inside{0};
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&] {
      for (int i = 0; i < rounds; ++i) {
        const Locked locked(lock);
        EXPECT_EQ(inside.fetch_add(1, std::memory_order_relaxed), 0);
        ++sum;
        for (int y = 0; y < yields_inside; ++y) sched_yield();
        inside.fetch_sub(1, std::memory_order_relaxed);
      }
    });
  }
  for (std::thread& thread : all) thread.join();
  EXPECT_TRUE(lock.try_lock());
  return sum;
}

TEST(LockTest, MutualExclusion) { EXPECT_EQ(count_under_lock(4, 20000, 0), 80000); }

// Long holds send the others to sleep; nobody is forgotten there. On a busy machine each yield
// costs a slice of somebody's time: few of them.
TEST(LockTest, SleepersAreWoken) { EXPECT_EQ(count_under_lock(4, 200, 5), 800); }

TEST(LockTest, TryLock) {
  Lock lock;
  EXPECT_TRUE(lock.try_lock());
  EXPECT_FALSE(lock.try_lock());
  lock.unlock();
  EXPECT_TRUE(lock.try_lock());
  lock.reset();
  EXPECT_TRUE(lock.try_lock());
  lock.unlock();
}

TEST(LockTest, WaitingKeepsErrno) {
  Lock lock;
  lock.lock();
  std::atomic<bool> waits{false};
  std::thread waiter([&] {
    errno = 77;
    waits = true;
    lock.lock();
    EXPECT_EQ(errno, 77);
    lock.unlock();
  });
  while (!waits) sched_yield();
  for (int i = 0; i < 1000; ++i) sched_yield();
  lock.unlock();
  waiter.join();
}

// The thread that forks holds every lock, and re-enters.
TEST(LockTest, HolderOfEveryLockReenters) {
  Lock lock;
  lock.lock();
  holds_every_lock = true;
  {
    const Locked again(lock);
    EXPECT_FALSE(lock.try_lock());
  }
  EXPECT_FALSE(lock.try_lock());  // still held after the inner scope
  holds_every_lock = false;
  std::thread([&] { EXPECT_FALSE(lock.try_lock()); }).join();
  lock.unlock();
  std::thread([&] {
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
  }).join();
}

// Who finds a lock taken is counted, once, under the lock's kind; in the lab flavour alone.
TEST(LockTest, ContendedAcquisitionsAreCountedByKind) {
#ifdef HAKMEM_LAB
  static constexpr std::uint64_t kEach = 1;
#else
  static constexpr std::uint64_t kEach = 0;
#endif
  in_child([] {
    Lock spans(LockKind::spans);
    Lock door;
    const std::uint64_t doors = contended_acquisitions(LockKind::door);  // of the tests before
    spans.lock();
    spans.unlock();
    EXPECT_EQ(contended_acquisitions(LockKind::spans), 0u);
    spans.lock();
    EXPECT_FALSE(spans.try_lock());
    EXPECT_EQ(contended_acquisitions(LockKind::spans), kEach);
    std::atomic<bool> waits{false};
    std::thread waiter([&] {
      waits = true;
      spans.lock();
      spans.unlock();
    });
    while (!waits) sched_yield();
    for (int i = 0; i < 1000 && contended_acquisitions(LockKind::spans) < 2 * kEach; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    spans.unlock();
    waiter.join();
    EXPECT_EQ(contended_acquisitions(LockKind::spans), 2 * kEach);
    EXPECT_TRUE(door.try_lock());
    EXPECT_FALSE(door.try_lock());
    EXPECT_EQ(contended_acquisitions(LockKind::door), doors + kEach);
    EXPECT_EQ(contended_acquisitions(LockKind::registry), 0u);
    EXPECT_EQ(contended_acquisitions(LockKind::metadata), 0u);
    EXPECT_EQ(contended_acquisitions(LockKind::start), 0u);
  });
}

}  // namespace
}  // namespace hakmem::os
