// What memory_worker can run: one file a workload, one line in the tables below.
#pragma once

#include <cstdint>

namespace bench {

struct Argument {
  const char* name;
  std::uint64_t low;
  std::uint64_t high;
  bool optional = false;  // 0 where it is not given
};

constexpr unsigned kMostArguments = 5;

// How much memory is held: runs once, prints its figures as one line of JSON.
struct Footprint {
  const char* name;
  const char* what;
  Argument arguments[kMostArguments];  // up to the first without a name
  void (*run)(const std::uint64_t* values);
};

extern const Footprint kAftermath;
extern const Footprint kSparse;
extern const Footprint kPhases;
inline constexpr const Footprint* kFootprints[] = {&kAftermath, &kSparse, &kPhases};

}  // namespace bench
