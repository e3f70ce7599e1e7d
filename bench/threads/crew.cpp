#include "crew.h"

#include <ctime>

#include "../process_status.h"
#include "futex.h"
#include "pages.h"

namespace bench {
namespace {

constexpr std::size_t kStackBytes = std::size_t{256} << 10;
constexpr std::uint64_t kLookAtOperationsEvery = 200'000;  // nanoseconds

void sleep_until(std::uint64_t when) {
  const timespec time{static_cast<time_t>(when / 1'000'000'000),
                      static_cast<long>(when % 1'000'000'000)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr) != 0) {
  }
}

pthread_t start_thread(void* (*body)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_t thread{};
  if (pthread_create(&thread, &attributes, body, argument) != 0) fault("pthread_create failed");
  pthread_attr_destroy(&attributes);
  return thread;
}

}  // namespace

struct Crew::Post {
  Crew* crew;
  Member* member;
  pthread_t thread;
  std::uint32_t slice_seen;
};

void Crew::set_up(const Workload& workload, unsigned count, std::uint32_t seed, bool timed) {
  workload_ = &workload;
  run_ = timed ? workload.run_timed : workload.run;
  count_ = count;
  members_ = map_zeroed<Member>(count);
  posts_ = map_zeroed<Post>(count);
  const double per_nanosecond = timed ? Latency::ticks_per_nanosecond() : 0;
  for (unsigned i = 0; i < count; ++i) {
    Member& member = members_[i];
    member.number = i;
    member.random = Random(seed * 1'000'003U + i);
    member.counted = true;
    member.stop = &stop_;
    posts_[i] = {this, &member, {}, 0};
    if (!timed) continue;
    member.latency = map_zeroed<Latency>(1);
    member.latency->set_up(per_nanosecond);
  }
  workload.set_up(members_, count);
  if (!workload.fresh_threads_each_slice) start_threads(run_post);
}

// False when the thread is to end because another takes its place.
bool Crew::work(Post& post) {
  if (post.member->latency != nullptr) post.member->latency->on_new_thread();
  if (run_(*post.member) == End::kStopped) return true;
  start_thread(run_post, &post);
  return false;
}

// The body of threads that live on from slice to slice. A thread that replaces another comes here
// in the middle of a slice.
void* Crew::run_post(void* argument) {
  auto& post = *static_cast<Post*>(argument);
  Crew& crew = *post.crew;
  pthread_detach(pthread_self());
  while (true) {
    if (post.slice_seen == crew.slice_.load(std::memory_order_acquire)) crew.wait_for_slice(post);
    if (crew.quit_) break;
    if (!crew.work(post)) return nullptr;
    post.slice_seen = crew.slice_.load(std::memory_order_relaxed);
    crew.stopped_one();
  }
  crew.stopped_one();
  return nullptr;
}

void* Crew::run_one_slice(void* argument) {
  auto& post = *static_cast<Post*>(argument);
  post.crew->work(post);
  return nullptr;
}

void Crew::wait_for_slice(Post& post) {
  while (slice_.load(std::memory_order_acquire) == post.slice_seen)
    futex_wait(slice_, post.slice_seen);
}

void Crew::stopped_one() {
  if (working_.fetch_sub(1, std::memory_order_acq_rel) == 1) futex_wake_all(working_);
}

void Crew::start_threads(void* (*body)(void*)) {
  for (unsigned i = 0; i < count_; ++i) posts_[i].thread = start_thread(body, &posts_[i]);
}

void Crew::join_threads() {
  for (unsigned i = 0; i < count_; ++i) pthread_join(posts_[i].thread, nullptr);
}

void Crew::sleep(std::uint64_t start, std::uint64_t nanoseconds, std::uint64_t wanted) {
  if (wanted == 0) return sleep_until(start + nanoseconds);
  const std::uint64_t before = operations();
  std::uint64_t now = start;
  while (now < start + nanoseconds && operations() - before < wanted) {
    sleep_until(now + kLookAtOperationsEvery);
    now = wall_nanoseconds();
  }
}

Slice Crew::run(std::uint64_t nanoseconds, std::uint64_t wanted) {
  const std::uint64_t operations_before = operations();
  const std::uint64_t cpu_before = cpu_nanoseconds();
  const std::uint64_t start = wall_nanoseconds();
  stop_.store(false, std::memory_order_relaxed);
  if (workload_->fresh_threads_each_slice) {
    start_threads(run_one_slice);
    sleep(start, nanoseconds, wanted);
    stop_.store(true, std::memory_order_relaxed);
    join_threads();
  } else {
    working_.store(count_, std::memory_order_relaxed);
    slice_.fetch_add(1, std::memory_order_release);
    futex_wake_all(slice_);
    sleep(start, nanoseconds, wanted);
    stop_.store(true, std::memory_order_relaxed);
    while (const std::uint32_t working = working_.load(std::memory_order_acquire))
      futex_wait(working_, working);
  }
  return {operations() - operations_before, wall_nanoseconds() - start,
          cpu_nanoseconds() - cpu_before};
}

void Crew::forget() {
  for (unsigned i = 0; i < count_; ++i) {
    members_[i].operations.store(0, std::memory_order_relaxed);
    if (members_[i].latency != nullptr) members_[i].latency->forget();
  }
}

void Crew::tear_down() {
  if (!workload_->fresh_threads_each_slice) {
    quit_ = true;
    working_.store(count_, std::memory_order_relaxed);
    slice_.fetch_add(1, std::memory_order_release);
    futex_wake_all(slice_);
    while (const std::uint32_t working = working_.load(std::memory_order_acquire))
      futex_wait(working_, working);
  }
  workload_->tear_down(members_, count_);
}

std::uint64_t Crew::operations() const {
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < count_; ++i)
    if (members_[i].counted) sum += members_[i].operations.load(std::memory_order_relaxed);
  return sum;
}

}  // namespace bench
