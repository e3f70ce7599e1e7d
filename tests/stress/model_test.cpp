// Random operations from many threads against a shadow model. Content depends on the object, so an
// overlap, a lost byte or memory given back too early shows as content that changed.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "stress/object.hpp"

namespace {

constexpr std::size_t kShared = 4096;
constexpr std::size_t kPrivate = 512;
constexpr std::size_t kBatch = 64;

// Objects that any thread may release: slots behind locks of their own, and a queue of batches.
class Shared {
 public:
  struct Slot {
    std::mutex lock;
    Object object;
  };

  Slot& slot(std::size_t i) { return slots_[i]; }

  void send(std::vector<Object> batch) {
    const std::lock_guard guard(queue_lock_);
    queue_.push_back(std::move(batch));
  }

  std::vector<Object> receive() {
    const std::lock_guard guard(queue_lock_);
    if (queue_.empty()) return {};
    std::vector<Object> batch = std::move(queue_.front());
    queue_.pop_front();
    return batch;
  }

  void release_everything(Random& random) {
    for (Slot& slot : slots_) {
      if (!slot.object.empty()) slot.object.release(random);
    }
    for (auto batch = receive(); !batch.empty(); batch = receive()) {
      for (Object& object : batch) object.release(random);
    }
  }

 private:
  std::array<Slot, kShared> slots_;
  std::mutex queue_lock_;
  std::deque<std::vector<Object>> queue_;
};

// One thread's share of the run; it leaves its objects to others at random when it ends.
class Worker {
 public:
  Worker(Shared& shared, std::uint64_t seed) : shared_(shared), random_(seed) {}

  void run(std::uint64_t operations) {
    for (std::uint64_t i = 0; i < operations; ++i) {
      if (i % 2048 == 0) growing_ = random_.one_in(2);
      const std::size_t dice = random_.below(100);
      if (dice < 40) {
        step(mine_[random_.below(kPrivate)]);
      } else if (dice < 85) {
        Shared::Slot& slot = shared_.slot(random_.below(kShared));
        const std::unique_lock guard(slot.lock, std::try_to_lock);
        if (guard.owns_lock()) step(slot.object);
      } else if (dice < 99) {
        outgoing_.emplace_back().allocate(random_);
        if (outgoing_.size() == kBatch) shared_.send(std::exchange(outgoing_, {}));
      } else {
        for (Object& object : shared_.receive()) object.release(random_);
      }
    }
    leave();
  }

 private:
  void step(Object& object) {
    if (object.empty()) {
      if (growing_ || random_.one_in(8)) object.allocate(random_);
    } else if (random_.one_in(growing_ ? 8 : 2)) {
      object.release(random_);
    } else if (random_.one_in(4)) {
      object.resize(random_);
    } else {
      object.verify();
    }
  }

  void leave() {
    for (Object& object : mine_) {
      if (object.empty()) continue;
      if (random_.one_in(2)) {
        object.release(random_);
      } else {
        outgoing_.push_back(std::move(object));
      }
    }
    if (!outgoing_.empty()) shared_.send(std::move(outgoing_));
  }

  Shared& shared_;
  Random random_;
  std::array<Object, kPrivate> mine_;
  std::vector<Object> outgoing_;
  bool growing_ = true;
};

// Keeps `threads` workers alive at a time until `operations` are done; each lives for a while only.
void drive(std::size_t threads, std::uint64_t operations) {
  auto shared = std::make_unique<Shared>();
  std::atomic<std::uint64_t> left{operations};
  std::atomic<std::uint64_t> started{0};
  auto lane = [&] {
    Random random(run_seed() + 1'000'003 * started.fetch_add(1));
    for (;;) {
      const std::uint64_t wanted = 500 + random.below(60'000);
      std::uint64_t before = left.load();
      while (!left.compare_exchange_weak(before, before - std::min(before, wanted))) {
      }
      if (before == 0) return;
      const std::uint64_t seed = random.next();
      std::thread([&shared, seed, share = std::min(before, wanted)] {
        std::make_unique<Worker>(*shared, seed)->run(share);
      }).join();
    }
  };
  std::vector<std::thread> lanes;
  for (std::size_t i = 0; i < threads; ++i) lanes.emplace_back(lane);
  for (std::thread& thread : lanes) thread.join();
  Random random(run_seed());
  shared->release_everything(random);
}

TEST(Model, OneThread) { drive(1, run_scale() / 4); }

TEST(Model, ManyThreads) { drive(setting("HAKMEM_TEST_THREADS", 6), run_scale() / 4 * 3); }

}  // namespace
