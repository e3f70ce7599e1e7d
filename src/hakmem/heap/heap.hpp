// A heap: the slabs of one thread (or of none, while it is parked), with the door that guards them.
//
// The door is one lock. The owner holds it during each visit through the slow door, once for 8 to
// a thousand objects; whoever else works on a heap (statistics, trimming, fork) holds the same.
// What needs no door: reading an id, and freeing remotely.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "hakmem/os/lock.hpp"
#include "hakmem/slab/slab.hpp"

namespace hakmem {

struct BinCounters {
  std::uint64_t carves, carved;       // visits, and objects that were never used before
  std::uint64_t refills, refilled;    // visits, and objects that were used before
  std::uint64_t flushes, flushed;     // visits, and objects returned by the owner
  std::uint64_t collects, collected;  // slabs drained, and objects that other threads had freed
};

// Slabs of one size class. Lists hold those that have something to give, by how much: level 0 the
// fullest. Refill takes the fullest first, so that sparse slabs drain and can be freed.
struct Bin {
  static constexpr unsigned kLevels = 4;
  static constexpr unsigned kEmptyLevel = kLevels;
  static constexpr unsigned kFullLevel = kLevels + 1;

  Descriptor* levels[kLevels + 1];
  std::uint32_t slabs;
  std::uint32_t empty;
  std::uint32_t colour;
  BinCounters counters;
};

// Spans taken ahead of demand: the rest of a segment.
inline constexpr unsigned kSegmentSizes = 4;  // for slabs of 1, 2, 4 and 8 regions

struct alignas(kCacheLine) Heap {
  os::Lock door;
  std::uint32_t id;
  bool parked;        // under the registry's lock
  Heap* next_parked;  // likewise
  Descriptor* segments[kSegmentSizes];
  Descriptor* taken;  // what is left of a pending list that was taken

  Bin bins[kClasses];

  // Everybody's line: slabs of this heap with remotely freed objects.
  alignas(kCacheLine) std::atomic<Descriptor*> pending;
};

// The heap of the calling thread, or null.
extern constinit thread_local Heap* current_heap HAK_TLS_MODEL;

// A parked heap, or a new one. Null: no memory for one.
Heap* heap_acquire();

// Lets go of a heap: drains it, frees what is empty, and leaves it for the next thread.
void heap_park(Heap* heap);

// Takes up to `count` objects of a class. They are written below `end` (end[-1], end[-2], ...) so
// that an array popped from its end gives ascending addresses. Returns how many; 0: no memory.
unsigned heap_refill(Heap* heap, const SizeClass& k, void** end, unsigned count);

// Returns objects to the slabs they came from. Catches double frees and pointers that are not
// objects: one line, then abort.
void heap_return(Heap* heap, void* const* objects, unsigned count);

// Collects what other threads freed and gives empty slabs back. The caller holds no door.
void heap_trim(Heap* heap);

// The same in every heap whose door nobody holds: those of idle threads and parked ones included.
void heaps_trim_idle();

// ---- remote free (remote_free.cpp) -------------------------------------------------------------

// Objects of other heaps, on their way home.
struct Outbox {
  static constexpr unsigned kCapacity = 64;
  unsigned count;
  void* objects[kCapacity];
};

// Frees an object of another heap through the outbox, which is flushed when it is full.
void outbox_add(Outbox& outbox, void* p);
void outbox_flush(Outbox& outbox);

// The same without an outbox: for threads that have none. Needs no memory.
void remote_free(void* const* objects, unsigned count);

// Works off at most `slabs` slabs of the heap's pending list. The caller holds the door.
void heap_drain(Heap* heap, unsigned slabs);

// ---- used between the files of this folder -----------------------------------------------------

// Puts the slab on the list where its filling belongs; frees it when it is empty and there are
// enough of those. The caller holds the door.
void heap_reshelve(Heap* heap, Descriptor* slab);

}  // namespace hakmem
