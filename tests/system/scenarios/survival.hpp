// A small workload that takes NULL for an answer: it must come with ENOMEM, and nothing may be
// lost.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

#include "support/pattern.hpp"
#include "system/scenarios/scenario.hpp"

namespace survival {

inline constexpr std::size_t kMiB = 1u << 20;

struct Object {
  void* p;
  std::size_t size;
};

// Counts the NULLs, each of which must say ENOMEM.
class Nulls {
 public:
  template <class Call>
  void* of(Call call) {
    errno = 0;
    void* const p = call();
    if (p == nullptr) {
      REQUIRE(errno == ENOMEM);
      ++count_;
    }
    return p;
  }
  int count() const { return count_; }

 private:
  int count_ = 0;
};

// Two large objects grow in turn, so that each must move.
inline void grow_two(Nulls& nulls) {
  char* object[2] = {};
  for (std::size_t size = kMiB; size < 6 * kMiB; size += size / 2) {
    for (char*& o : object) {
      if (o != nullptr) REQUIRE(o[0] == 'a' && o[kMiB - 2] == 'z');
      auto* const p = static_cast<char*>(nulls.of([&] { return std::realloc(o, size); }));
      if (p == nullptr) continue;
      o = p;
      o[0] = 'a';
      o[kMiB - 2] = 'z';
      o[size - 1] = 'e';
    }
  }
  for (char* o : object) std::free(o);
}

// Small and large, grown, aligned, trimmed; returns the number of NULLs.
inline int use_everything() {
  static Object objects[1000];
  std::size_t count = 0;
  Nulls nulls;
  for (const std::size_t size : {40u, 700u, 5000u, 30000u, 100000u, 3u << 20}) {
    for (int i = 0; i < (size < 6000 ? 200 : size < kMiB ? 8 : 2); ++i) {
      const bool zero = i % 4 == 0;
      void* const p = nulls.of([&] { return zero ? std::calloc(1, size) : std::malloc(size); });
      if (p == nullptr) continue;
      if (zero) REQUIRE(pattern::is_zero(p, size));
      pattern::fill(p, size, count);
      objects[count++] = {p, size};
    }
  }
  for (std::size_t i = 0; i < count; i += 3) {
    Object& o = objects[i];
    void* const p = nulls.of([&] { return std::realloc(o.p, o.size * 3); });
    if (p != nullptr) o.p = p;
  }
  grow_two(nulls);
  std::free(nulls.of([] { return std::aligned_alloc(kMiB, kMiB); }));
  for (std::size_t i = 0; i < count; ++i) {
    REQUIRE(pattern::holds(objects[i].p, objects[i].size, i));
    std::free(objects[i].p);
  }
  malloc_trim(0);
  return nulls.count();
}

// The heap works again, with at most `failures` NULLs more.
inline void work_again(int failures) {
  Nulls nulls;
  for (const std::size_t size : {40u, 700u, 5000u, 100000u, 3u << 20}) {
    for (int i = 0; i < 3; ++i) {
      void* const p = nulls.of([size] { return std::calloc(1, size); });
      REQUIRE(p == nullptr || pattern::is_zero(p, size));
      if (p != nullptr) pattern::fill(p, size, 1);
      std::free(p);
    }
  }
  REQUIRE(nulls.count() <= failures);
}

}  // namespace survival
