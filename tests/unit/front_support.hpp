// What the tests of threads' caches share: malloc and free without the slow door of api/.
#pragma once

#include "child.hpp"
#include "hakmem/arena/spans.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/front/cache.hpp"
#include "hakmem/front/thread.hpp"
#include "hakmem/heap/registry.hpp"

namespace hakmem {

inline void attach() {
  if (arena_count.load() == 0) {
    ASSERT_TRUE(arena_add(1));
  }
  ASSERT_TRUE(thread_attach());
}

inline void* take(unsigned c) {
  void* p = unified_cache_pop(slot_of_class(c));
  return p != nullptr ? p : cache_refill(slot_of_class(c));
}

inline void give(unsigned c, void* p) {
  const unsigned slot = slot_of_class(c);
  if (unified_cache_push(slot, p) || cache_put_below_wire(slot, p)) return;
  cache_overflow(slot, p);
}

inline Magazine& magazine(unsigned c) { return cache.thread->magazines[c]; }

inline unsigned cached(unsigned c) {
  return static_cast<unsigned>(cache.words[slot_of_class(c)] - magazine(c).words);
}

inline const BinCounters& counters(unsigned c) { return current_heap->bins[c].counters; }

// Of those that are charged to the thread's budget: not the first of long objects.
inline std::size_t places_in_bytes() {
  std::size_t sum = 0;
  for (unsigned c = 0; c < kClasses; ++c) {
    const bool free_one = kSizeClasses[c].is_long() && magazine(c).words != nullptr;
    sum += (magazine(c).capacity - std::size_t{free_one}) * kSizeClasses[c].size;
  }
  return sum;
}

}  // namespace hakmem
