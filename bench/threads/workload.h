// What the parts of a threaded workload are. Each lives in a file of its own.
#pragma once

#include <cstdint>

#include "member.h"
#include "object.h"

namespace bench {

struct Workload {
  const char* name;
  const char* operation;  // what is counted
  unsigned least_threads;
  // Threads live for a slice and a fresh set does the next; else they live on, stopped in between.
  bool fresh_threads_each_slice;
  // Called once, in the main thread, before any member runs.
  void (*set_up)(Member* members, unsigned count);
  // Runs in a member's thread until member.stopped(); again for the next slice.
  End (*run)(Member& member);
  End (*run_timed)(Member& member);  // the same with each call timed
  // Called in the main thread when no member runs any more: frees and checks what is left.
  void (*tear_down)(Member* members, unsigned count);
};

extern const Workload kLarson;
extern const Workload kPairs;
extern const Workload kOneToThree;
extern const Workload kThreeToOne;
extern const Workload kBuffers;
extern const Workload kMigrating;
extern const Workload kShortLived;
extern const Workload kCacheScratch;
extern const Workload kCacheThrash;
extern const Workload kMixed;
extern const Workload kWebServer;

inline constexpr const Workload* kWorkloads[] = {
    &kLarson,     &kPairs,        &kOneToThree,  &kThreeToOne, &kBuffers,  &kMigrating,
    &kShortLived, &kCacheScratch, &kCacheThrash, &kMixed,      &kWebServer};

}  // namespace bench
