// The unified cache: for each size class an array of pointers to free objects. malloc pops, free
// pushes; no object is touched, nothing is counted.
//
// A class's array is known by two words: `top` points at the last pointer, `limit` at the last
// place there is. Below the first place lies a null: popping it says "empty", and no counter is
// read. A thread without a heap has every top and limit at one shared null, and a tag that matches
// no region: both fast paths miss, and need no check of their own.
#pragma once

#include <atomic>

#include "hakmem/arena/region_map.hpp"
#include "hakmem/base/platform.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/slab/size_classes.hpp"

namespace hakmem {

struct ThreadState;

inline constexpr unsigned kLimit = 4;  // from the top of a slot to its limit, in words

extern "C" void* const hakmem_empty_array[1];

struct alignas(kCacheLine) Cache {
  // Lines of four tops and four limits, indexed by slot. `limits` is the same array seen from the
  // first limit on: so both words of a slot are one addition away from the same register.
  union {
    void** words[kSlots];
    struct {
      void** before[kLimit];
      void** words[kSlots - kLimit];
    } limits;
  };
  RegionId tag;  // of the thread's heap
  enum class Phase : unsigned char { fresh, attached, gone } phase;
  ThreadState* thread;  // what the slow door needs; null unless attached
};
static_assert(sizeof(Cache) < 1024);

// One block of TLS, so ordered that what a class needs is in one line; C7 has one of its own.
extern constinit thread_local Cache cache HAK_TLS_MODEL;

// The last pointer of the class's array, or null when it is empty. One branch, one store.
HAK_BOUNDARY void* unified_cache_pop(unsigned slot) {
  void** top = cache.words[slot];
  void* p = *top;
  if (HAK_LIKELY(p != nullptr)) cache.words[slot] = top - 1;
  return p;
}

// False when the array is full, or its top is checked and is `p`. One branch, two stores.
HAK_BOUNDARY bool unified_cache_push(unsigned slot, void* p) {
  void** top = cache.words[slot];
  // Loaded by an instruction of its own: half a percent faster than compared where it lies.
  void** limit = cache.limits.words[slot];
  asm("" : "+r"(limit));
  if (HAK_UNLIKELY(top == limit)) return false;
  if (config::check_top() != 0 && HAK_UNLIKELY(*top == p)) return false;
  top[1] = p;
  // The slot before the top: fork may freeze the thread between the two.
  std::atomic_signal_fence(std::memory_order_release);
  cache.words[slot] = top + 1;
  return true;
}

}  // namespace hakmem
