// Objects that live in one thread and die in another, and threads that come and go meanwhile.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "stress/object.hpp"

namespace {

// A bounded queue, so that a fast producer does not fill the memory.
class Queue {
 public:
  void push(std::vector<Object> batch) {
    std::unique_lock guard(lock_);
    changed_.wait(guard, [&] { return batches_.size() < 50; });
    batches_.push_back(std::move(batch));
    changed_.notify_all();
  }

  std::vector<Object> pop() {
    std::unique_lock guard(lock_);
    changed_.wait(guard, [&] { return !batches_.empty(); });
    std::vector<Object> batch = std::move(batches_.front());
    batches_.pop_front();
    changed_.notify_all();
    return batch;
  }

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  std::deque<std::vector<Object>> batches_;
};

std::uint64_t share(std::uint64_t divisor) { return run_scale() / divisor + 1; }

TEST(Handover, ProducersAllocateAndConsumersRelease) {
  Queue queue;
  const std::size_t batches = share(800);
  auto produce = [&](std::uint64_t seed) {
    Random random(seed);
    for (std::size_t i = 0; i < batches; ++i) {
      std::vector<Object> batch(100);
      for (Object& object : batch) object.allocate(random);
      queue.push(std::move(batch));
    }
  };
  auto consume = [&](std::uint64_t seed) {
    Random random(seed);
    for (std::size_t i = 0; i < batches; ++i) {
      for (Object& object : queue.pop()) object.release(random);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 2; ++i) {
    threads.emplace_back(produce, run_seed() + i);
    threads.emplace_back(consume, run_seed() + 100 + i);
  }
  for (std::thread& thread : threads) thread.join();
}

// The memory of a thread that ended is used, resized and released by its successors.
TEST(Handover, ThreadsInheritFromThreadsThatEnded) {
  std::vector<Object> estate;
  for (std::uint64_t generation = 0; generation < 50; ++generation) {
    std::thread([&] {
      Random random(run_seed() + generation);
      for (std::size_t i = 0; i < estate.size(); i += 2) {
        estate[i].release(random);
        estate[i].allocate(random);
      }
      for (Object& object : estate) {
        if (random.one_in(3)) object.resize(random);
      }
      for (int i = 0; i < 100; ++i) estate.emplace_back().allocate(random);
    }).join();
  }
  Random random(run_seed());
  for (Object& object : estate) object.release(random);
}

// Threads start while others exit; each releases what an earlier one left in its slot.
TEST(Handover, ThreadsStartWhileOthersExit) {
  struct Slot {
    std::mutex lock;
    Object object;
  };
  std::vector<Slot> slots(64);
  std::atomic<std::uint64_t> seed{run_seed()};
  auto brief = [&] {
    Random random(seed.fetch_add(1));
    for (int i = 0; i < 20; ++i) {
      Slot& slot = slots[random.below(slots.size())];
      const std::lock_guard guard(slot.lock);
      if (!slot.object.empty()) slot.object.release(random);
      slot.object.allocate(random);
    }
  };
  const std::uint64_t rounds = share(4000);
  auto spawn = [&] {
    for (std::uint64_t i = 0; i < rounds; ++i) {
      std::thread first(brief);
      std::thread second(brief);
      first.join();
      second.join();
    }
  };
  std::thread a(spawn);
  std::thread b(spawn);
  std::thread c(spawn);
  a.join();
  b.join();
  c.join();
  Random random(run_seed());
  for (Slot& slot : slots) {
    if (!slot.object.empty()) slot.object.release(random);
  }
}

// Everybody releases everybody's objects of one size at once: the same slabs, the same words.
TEST(Handover, ManyThreadsReleaseIntoTheSameSlabs) {
  constexpr std::size_t kThreads = 4;
  for (const std::size_t size : {16u, 64u, 640u, 1024u, 5000u}) {
    std::vector<void*> objects(size < 1000 ? 20000 : 4000);
    for (int round = 0; round < 3; ++round) {
      for (std::size_t i = 0; i < objects.size(); ++i) {
        objects[i] = subject::allocate(size);
        if (objects[i] == nullptr) broken("allocation failed", nullptr, size);
        pattern::fill(objects[i], size, i);
      }
      std::vector<std::thread> threads;
      for (std::size_t t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
          for (std::size_t i = t; i < objects.size(); i += kThreads) {
            if (!pattern::holds(objects[i], size, i)) broken("content lost", objects[i], size);
            subject::release(objects[i]);
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
    }
  }
}

}  // namespace
