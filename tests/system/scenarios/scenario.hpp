// A scenario is a small program: a function with a name, run alone in a process of its own. It ends
// with "ok" on stdout and exit code 0; what breaks a promise ends it at once.
#pragma once

#include <malloc.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "hakmem/hakmem.h"

namespace scenario {

struct Registration {
  Registration(const char* name, void (*function)());
};

// Resident memory of this process, in bytes.
std::size_t resident_bytes();

// The most of it that there ever was.
std::size_t peak_resident_bytes();

// How often a scenario repeats itself: `ordinary`, or a share of it (support/share.hpp), or what
// HAKMEM_TEST_SCALE says.
int scaled(int ordinary);

// Limits one resource of this process.
void limit(int resource, std::size_t bytes);

}  // namespace scenario

#define SCENARIO(name)                                                         \
  static void scenario_##name();                                               \
  static const scenario::Registration register_##name(#name, scenario_##name); \
  static void scenario_##name()

#define REQUIRE(condition)                                                         \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::_Exit(3);                                                               \
    }                                                                              \
  } while (false)
