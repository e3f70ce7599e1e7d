// fork at any moment of other threads' work: the child allocates, releases the parent's objects,
// starts threads and forks again. A deadlock is found by the clock of the watchdog.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "stress/object.hpp"
#include "support/share.hpp"

namespace {

constexpr unsigned kPatience = 30;  // seconds until a child counts as deadlocked
constexpr int kForks = 48;

void churn(Random& random, std::vector<Object>& table, int operations) {
  for (int i = 0; i < operations; ++i) {
    Object& object = table[random.below(table.size())];
    if (object.empty()) {
      object.allocate(random);
    } else {
      object.release(random);
    }
  }
}

void expect_success(pid_t child) {
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
    std::fprintf(stderr, "fork: a child ended with status %#x (%s)\n", status,
                 WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "deadlock" : "not zero");
    std::abort();
  }
}

[[noreturn]] void live_as_child(std::vector<Object>& inherited, std::uint64_t seed, int depth) {
  alarm(kPatience);
  Random random(seed);
  for (Object& object : inherited) {
    if (!object.empty() && random.one_in(2)) object.release(random);
  }
  churn(random, inherited, 300);
  if (depth > 0) {
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < 2; ++i) {
      threads.emplace_back([seed, i] {
        Random own(seed + 17 * i);
        std::vector<Object> table(50);
        churn(own, table, 500);
        for (Object& object : table) {
          if (!object.empty()) object.release(own);
        }
      });
    }
    const pid_t grandchild = fork();
    if (grandchild == 0) live_as_child(inherited, seed + 1, depth - 1);
    for (std::thread& thread : threads) thread.join();
    expect_success(grandchild);
  }
  for (Object& object : inherited) {
    if (!object.empty()) object.release(random);
  }
  _exit(0);
}

TEST(Fork, ChildrenLiveWhileOtherThreadsChurn) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> others;
  for (std::uint64_t i = 0; i < 3; ++i) {
    others.emplace_back([&stop, i] {
      Random random(run_seed() + i);
      std::vector<Object> table(500);
      while (!stop) churn(random, table, 100);
      for (Object& object : table) {
        if (!object.empty()) object.release(random);
      }
    });
  }
  Random random(run_seed() + 99);
  std::vector<Object> mine(200);
  for (int i = 0; i < share_of(kForks); ++i) {
    churn(random, mine, 100);
    const std::uint64_t seed = random.next();
    const pid_t child = fork();
    if (child == 0) live_as_child(mine, seed, 1);
    expect_success(child);
  }
  stop = true;
  for (std::thread& thread : others) thread.join();
  for (Object& object : mine) {
    if (!object.empty()) object.release(random);
  }
}

// Short-lived threads start and end all the while: fork meets heaps in every state.
TEST(Fork, WhileThreadsStartAndEnd) {
  std::atomic<bool> stop{false};
  std::thread starter([&stop] {
    for (std::uint64_t i = 0; !stop; ++i) {
      std::thread([i] {
        Random random(run_seed() + i);
        std::vector<Object> table(30);
        churn(random, table, 100);
        for (Object& object : table) {
          if (!object.empty()) object.release(random);
        }
      }).join();
    }
  });
  std::vector<Object> mine(100);
  Random random(run_seed() + 7);
  for (int i = 0; i < share_of(kForks) / 2; ++i) {
    churn(random, mine, 50);
    const std::uint64_t seed = random.next();
    const pid_t child = fork();
    if (child == 0) live_as_child(mine, seed, 1);
    expect_success(child);
  }
  stop = true;
  starter.join();
  for (Object& object : mine) {
    if (!object.empty()) object.release(random);
  }
}

}  // namespace
