// A thread's side of the allocator that is not on the fast path: its arrays, how large they are,
// how they are filled and emptied, and the beginning and end of a thread.
#pragma once

#include <cstddef>

#include "hakmem/front/cache.hpp"
#include "hakmem/heap/heap.hpp"

namespace hakmem {

// The cold part of a class's array. Arrays have a power of two of words: a null and the places.
struct Magazine {
  void** words;            // null until the class is first used
  std::uint16_t capacity;  // places
  std::uint16_t batch;     // objects of the next refill: doubles each time
  bool refilled;           // since the last flush: objects go round, a larger array would help
  bool own_block;          // the words are a metadata block, not part of the thread's page
};

// The thread's first arrays share the page with its state and move away when they grow.
struct alignas(kCacheLine) ThreadState {
  static constexpr std::size_t kPage = 4096;

  std::size_t budget_used;  // bytes of objects the arrays have places for
  std::size_t first_words_used;
  Outbox outbox;
  Magazine magazines[kClasses];
  void* first_words[(kPage - 2 * sizeof(std::size_t) - sizeof(Outbox) -
                     kClasses * sizeof(Magazine) - kCacheLine) /
                    sizeof(void*)];
};
static_assert(sizeof(ThreadState) <= ThreadState::kPage);

// Gives the calling thread a heap and a cache. False: no memory, or the thread is at its end; then
// it allocates and frees without a cache.
bool thread_attach();

// Returns everything the thread holds and parks its heap. Its fast paths miss from now on.
void thread_detach();

// An object of the class whose array ran empty: refills it. Null: no memory.
void* cache_refill(unsigned slot);

// Frees an object of this thread's heap whose class has no room in the array, or none yet: the
// array grows, or its older half is returned to the slabs.
void cache_overflow(unsigned slot, void* p);

// Returns all the thread's arrays hold, and its outbox.
void cache_flush_all();

}  // namespace hakmem
