// fork: the child's heap works, whatever the parent's threads were doing. The children use hak_*
// alone: a sanitizer's own malloc need not survive a fork amid threads.
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "child.hpp"
#include "hakmem/hakmem.h"
#include "support/share.hpp"

namespace hakmem {
namespace {

constexpr unsigned kPatience = 60;  // seconds until a child counts as deadlocked
constexpr int kObjects = 300;

std::size_t size_of(int i) { return i % 50 == 0 ? 60000 + 16 * i : 1 + 37 * i % 3000; }

void fill(unsigned char** objects, int seed) {
  for (int i = 0; i < kObjects; ++i) {
    objects[i] = static_cast<unsigned char*>(hak_malloc(size_of(i)));
    if (objects[i] == nullptr) _exit(10);
    std::memset(objects[i], (seed + i) % 256, size_of(i));
  }
}

// Ends the process when an object is not as `fill` left it.
void empty(unsigned char** objects, int seed) {
  for (int i = 0; i < kObjects; ++i) {
    for (std::size_t at = 0; at < size_of(i); at += 1 + size_of(i) / 7) {
      if (objects[i][at] != (seed + i) % 256) _exit(11);
    }
    hak_free(objects[i]);
  }
}

pid_t start_child(void (*live)(unsigned char**, int), unsigned char** inherited, int depth) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(kPatience);
    live(inherited, depth);
    _exit(0);
  }
  return child;
}

// 0 when the child ended well.
int status_of(pid_t child) {
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

void* live_as_thread(void*) {
  unsigned char* objects[kObjects];
  fill(objects, 5);
  empty(objects, 5);
  return nullptr;
}

// Allocates, frees what the parent had, collects, and forks again.
void live_without_threads(unsigned char** inherited, int depth) {
  unsigned char* objects[kObjects];
  fill(objects, depth);
  empty(inherited, 1);
  hak_collect(true);
  if (depth > 0) {
    unsigned char* next[kObjects];
    fill(next, 1);
    if (status_of(start_child(live_without_threads, next, depth - 1)) != 0) _exit(12);
    empty(next, 1);
  }
  empty(objects, depth);
  hak_collect(true);
}

void live_with_threads(unsigned char** inherited, int depth) {
  pthread_t threads[2];
  for (pthread_t& thread : threads) {
    if (pthread_create(&thread, nullptr, live_as_thread, nullptr) != 0) _exit(13);
  }
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  live_without_threads(inherited, depth);
}

TEST(Fork, ChildOfASingleThread) {
  in_child([] {
    for (int i = 0; i < share_of(4); ++i) {
      unsigned char* objects[kObjects];
      fill(objects, 1);
      ASSERT_EQ(status_of(start_child(live_with_threads, objects, 2)), 0);
      empty(objects, 1);
    }
  });
}

// The parent has never allocated: the child is the first.
TEST(Fork, ChildOfAThreadWithoutAHeap) {
  in_child([] {
    const pid_t child =
        start_child([](unsigned char**, int) { live_as_thread(nullptr); }, nullptr, 0);
    ASSERT_EQ(status_of(child), 0);
  });
}

// A program registers its own handlers before it allocates for the first time. They wait for a lock
// whose holder allocates: ours must come after them.
TEST(Fork, AProgramsHandlersWaitForAThreadThatAllocates) {
  in_child([] {
    static std::mutex mutex;
    static std::atomic<bool> stop{false};
    alarm(kPatience);
    ASSERT_EQ(pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, [] { mutex.unlock(); }),
              0);
    std::thread thread([] {
      while (!stop) {
        const std::scoped_lock locked(mutex);
        for (int i = 0; i < 50; ++i) hak_free(hak_malloc(size_of(50 * i)));
      }
    });
    for (int i = 0; i < share_of(40); ++i) {
      unsigned char* objects[kObjects];
      fill(objects, 1);
      ASSERT_EQ(status_of(start_child(live_without_threads, objects, 0)), 0);
      empty(objects, 1);
    }
    stop = true;
    thread.join();
  });
}

TEST(Fork, ChildAmidWorkingThreads) {
  in_child([] {
    static std::atomic<bool> stop{false};
    static std::atomic<unsigned char*> between[64];
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t) {
      threads.emplace_back([t] {
        // Within the thread and from thread to thread.
        unsigned char* objects[kObjects];
        for (unsigned i = t; !stop; ++i) {
          fill(objects, 3);
          empty(objects, 3);
          for (auto& place : between) {
            auto* p = static_cast<unsigned char*>(hak_malloc(1 + i % 1000));
            hak_free(place.exchange(p));
          }
        }
      });
    }
    for (int i = 0; i < share_of(12) && !testing::Test::HasFailure(); ++i) {
      unsigned char* objects[kObjects];
      fill(objects, 1);
      EXPECT_EQ(status_of(start_child(live_without_threads, objects, i % 2)), 0);
      empty(objects, 1);
      sched_yield();
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
    for (auto& place : between) hak_free(place.load());
  });
}

}  // namespace
}  // namespace hakmem
