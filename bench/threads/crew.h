// The threads of a workload, run in slices: between two of them every thread is stopped.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>

#include "member.h"
#include "workload.h"

namespace bench {

// What a slice took.
struct Slice {
  std::uint64_t operations;
  std::uint64_t wall_nanoseconds;  // until the last thread has stopped
  std::uint64_t cpu_nanoseconds;   // user and system, of the whole process
};

// There is one in a process, and its memory comes from map_zeroed.
class Crew {
 public:
  // Sets the workload up and starts its threads, stopped.
  void set_up(const Workload& workload, unsigned count, std::uint32_t seed, bool timed);

  // Lets the threads run for that long; with `operations` not 0, at most until about so many.
  Slice run(std::uint64_t nanoseconds, std::uint64_t operations);

  // What went before, warming up, no longer counts.
  void forget();

  // Ends the threads; frees and checks what they left.
  void tear_down();

  [[nodiscard]] const Member* members() const { return members_; }
  [[nodiscard]] unsigned count() const { return count_; }
  [[nodiscard]] std::uint64_t operations() const;

 private:
  struct Post;  // a thread's place, which outlives the thread where it is replaced

  static void* run_post(void* post);
  static void* run_one_slice(void* post);
  bool work(Post& post);
  void start_threads(void* (*body)(void*));
  void join_threads();
  void wait_for_slice(Post& post);
  void stopped_one();
  void sleep(std::uint64_t start, std::uint64_t nanoseconds, std::uint64_t operations);

  const Workload* workload_;
  End (*run_)(Member& member);
  Member* members_;
  Post* posts_;
  unsigned count_;
  bool quit_;
  // Read by all threads at every operation, written twice a slice.
  alignas(kCacheLine) std::atomic<bool> stop_;
  alignas(kCacheLine) std::atomic<std::uint32_t> slice_;    // the threads wait for it to change
  alignas(kCacheLine) std::atomic<std::uint32_t> working_;  // threads that have not yet stopped
};

}  // namespace bench
