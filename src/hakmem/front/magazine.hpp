// The cold side of a thread's arrays: how large they are, how they are filled and emptied.
//
// Every array adapts. It doubles where its thread is short, within a bound for its class and a
// budget of bytes for the thread; one whose class was not used for a while is emptied by halves and
// then shrinks. A class's first objects come from a starter heap, without any array.
#pragma once

#include "hakmem/front/cache.hpp"
#include "hakmem/front/shelf.hpp"
#include "hakmem/heap/outbox.hpp"

namespace hakmem {

// Arrays have a power of two of words: a null and the places.
struct Magazine {
  void** words;               // null until the class has an array
  std::uint16_t capacity;     // places
  std::uint16_t batch;        // objects of the next refill: doubles each time
  std::uint16_t held_before;  // objects in it when it was last looked at
  std::uint8_t starters;      // objects that came from a starter heap so far
  bool refilled : 1;          // since the last flush: objects go round, a larger array would help
  bool visited : 1;           // through the slow door, since it was last looked at
  bool own_block : 1;         // the words are a metadata block, not part of the thread's page
};
static_assert(sizeof(Magazine) == 16);

// The thread's first arrays share the page with its state and move away when they grow. What lies
// behind that page is touched by threads that free others' objects.
struct alignas(kCacheLine) ThreadState {
  static constexpr std::size_t kBytes = 8192;

  ThreadState* next;  // in the list of all states (states.hpp)
  ThreadState* previous;
  const Cache* of;            // the cache that has the arrays, while their thread can be asked
  std::size_t budget_used;    // bytes of objects the arrays and the shelf have places for
  std::uint64_t wired_at;     // when tripwires were laid in all arrays, in coarse milliseconds
  std::uint32_t trips;        // tripwires met since then
  std::uint32_t round;        // in which the arrays last shed what they can do without
  std::uint32_t visits;       // through the slow door
  std::uint32_t visits_amid;  // of those, after kFewTrips of the wires
  std::uint16_t first_words_used;
  std::uint16_t turn;             // which starter heap comes first
  std::uint8_t victim;            // class whose places were last looked at for others
  bool starts;                    // classes begin with starter objects
  bool busy;                      // met enough tripwires since they were laid in all arrays
  bool was_busy;                  // ... and the time before
  bool waiting;                   // memory waited to be given back when that was last looked at
  std::uint16_t wires[kClasses];  // places of the nulls that are tripwires; 0: none; see kOnTop
  Magazine magazines[kClasses];
  Shelf shelf;
  void* first_words[(kBytes - 27 * sizeof(std::size_t) - sizeof(Outbox) - sizeof(Shelf) -
                     kClasses * sizeof(Magazine)) /
                    sizeof(void*)];
  Outbox outbox;
};
static_assert(sizeof(ThreadState) <= ThreadState::kBytes);

// Starter objects that a thread gets of each class before it has an array for it.
inline constexpr unsigned kStarterObjects = 24;

// An object of the class whose array ran empty: refills it. Null: no memory.
void* cache_refill(unsigned slot);

// Frees an object of this heap for which its array has no room: that grows, or its older half goes.
void cache_overflow(unsigned slot, void* p);

// For other visits: reads the clock, and lays wires in all arrays in time. 0: no memory waits.
std::uint64_t cache_tick();

// Added to how often a null that lies on top may go one place up.
inline constexpr unsigned kOnTop = 0x8000;

// A wire that lies on top of its array stays there. False: none does. Cost: about 15 instructions.
HAK_INLINE bool cache_put_below_wire(unsigned slot, void* p) {
  std::uint16_t& wire = cache.thread->wires[class_of_slot(slot)];
  void** top = cache.words[slot];
  if (wire <= kOnTop || (config::check_top() != 0 && top[-1] == p)) return false;
  --wire;
  top[1] = nullptr;
  top[0] = p;
  cache.words[slot] = cache.words[slot + kLimit] = top + 1;
  return true;
}

// Doubles the part of the thread's budget that is reserved for something else than arrays, which
// may have to make room. False: no room now, or never `least` bytes. cache_release gives it up.
bool cache_reserve(std::size_t& reserved, std::size_t least);
void cache_release(std::size_t& bytes);

// Of more than `most` bytes in the thread's arrays returns the oldest, of each class the same part.
void cache_keep_newest(std::size_t most);

// Returns all the thread's arrays hold, its outbox and its shelf.
void cache_flush_all();

// The arrays leave the thread's cache, or come into it: a state may go to another thread.
void cache_put_away();
void cache_take_out();

// Returns all that the arrays of a state that was put away hold to its heap, and the arrays.
void magazines_release(ThreadState& state, Heap* heap);

}  // namespace hakmem
