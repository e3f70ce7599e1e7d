// A heap: slabs with one owner, and the door that guards them. A thread has a heap of its own;
// heaps of ended threads are parked until the next thread takes them whole, or threads that are
// short adopt their slabs; shared heaps (shared.hpp) have no thread.
//
// The door is one lock. The owner holds it during each visit through the slow door, once for a
// batch of objects; whoever else works on a heap (adoption, helping, statistics, trimming, fork)
// holds the same. What needs no door: reading an id, and freeing remotely.
#pragma once

#include <atomic>

#include "hakmem/heap/bin.hpp"
#include "hakmem/os/lock.hpp"
#include "hakmem/slab/local_bits.hpp"

namespace hakmem {

struct alignas(kCacheLine) Heap {
  std::uint32_t id;
  Heap* next_parked;  // under the registry's lock
  // Of a parked heap: its last thread's cache, for the next one; or null. A hint for others.
  std::atomic<void*> kept;
  // No thread has it. Set under the door: who holds that and finds it unset knows that the owner
  // will come. Cleared under the registry's lock.
  std::atomic<bool> parked;

  // The owner's lines: who pushes a slab looks at `parked`, and would take these away each time.
  alignas(kCacheLine) os::Lock door;
  // By the owner, at each visit; others see by it whether the owner is at work. Relaxed: a hint.
  std::atomic<std::uint32_t> visits;
  std::atomic<std::uint32_t> visited_at;  // one of the last, in coarse milliseconds
  Descriptor* segments[4];                // taken ahead: for slabs of 1, 2, 4 and 8 regions
  Descriptor* taken[kClasses];            // what is left of pending lists that were taken
  std::atomic<std::uint32_t> drained;  // slabs taken off them so far; others see by it what waits
  std::uint32_t next_list;             // the class whose list comes first where any will do
  std::uint64_t served;                // bit c: of class c objects were needed since its turn
  std::uint32_t looked_at;             // the owner's visits when it last looked at what waits
  std::uint32_t helped_at;             // when it last found nobody to help; as visited_at
  Descriptor* large;                   // of a shared heap: its large objects
  // Bytes of large objects that the owner allocated less those that it freed, below 0 as well; a
  // part of the sum over all heaps. By the owner alone: relaxed, no atomic addition.
  std::atomic<std::size_t> large_bytes;

  Bin bins[kClasses];

  // Everybody's lines: slabs of this heap with remotely freed objects, in lists by the class that
  // their freers knew: who needs objects of a class collects those alone. How many were pushed so
  // far, and the owner's visits when somebody saw them change.
  alignas(kCacheLine) std::atomic<std::uint32_t> pushes;
  std::atomic<std::uint32_t> visits_seen;
  std::atomic<std::uint32_t> seen_at;  // when that was, in coarse milliseconds
  alignas(kCacheLine) std::atomic<Descriptor*> pending[kClasses];
};
static_assert(sizeof(Heap) <= 8192 && kClasses <= 64);  // a block of metadata; bits of `served`

// A hint for who does not hold the door. Sequentially consistent after a push: see registry_park.
inline bool is_parked(const Heap* heap) { return heap->parked.load(std::memory_order_seq_cst); }

// Slabs pushed, or about to be, and not taken off yet: with 0 all lists were empty. `drained` is
// read first, or the difference might be too small. Sequentially consistent: as above.
inline std::uint32_t waiting_slabs(const Heap* heap) {
  const std::uint32_t drained = heap->drained.load(std::memory_order_seq_cst);
  return heap->pushes.load(std::memory_order_seq_cst) - drained;
}

// The heap of the calling thread, or null.
extern constinit thread_local Heap* current_heap HAK_TLS_MODEL;

// A parked heap, or a new one. Null: no memory for one.
Heap* heap_acquire();

// A parked heap, or null. One that has a cache comes first.
Heap* heap_acquire_parked();

// Lets go of a heap and leaves it for the next thread: as it is, with its thread's cache if that is
// kept; or, of a thread that idles, without what is empty.
void heap_park(Heap* heap, void* kept = nullptr, bool idles = false);

// Takes up to `count` objects of a class. They are written below `end` (end[-1], end[-2], ...) so
// that an array popped from its end gives ascending addresses. Returns how many; 0: no memory.
unsigned heap_refill(Heap* heap, const SizeClass& k, void** end, unsigned count);

struct Outbox;

// Returns objects to the slabs they came from; those of other heaps go to the outbox. Catches
// double frees and pointers that are not objects: one line, then abort.
void heap_return(Heap* heap, void* const* objects, unsigned count, Outbox& outbox);

// Collects what other threads freed and gives empty slabs back, in every heap whose door nobody
// holds: those of idle threads and parked ones included.
void heaps_trim_idle();

// ---- remote free (remote_free.cpp) -------------------------------------------------------------
// Frees an object of another heap without an outbox. `id` is its region id. Needs no memory.
void remote_free(void* p, RegionId id);

inline constexpr unsigned kDrainAll = ~0u;

// Both: at most so many slabs of class `c`'s list, or of any; return how many. The door is held.
unsigned heap_drain(Heap* heap, unsigned c, unsigned slabs);
unsigned heap_drain_any(Heap* heap, unsigned slabs);

// Works off a little of the next lists, but not of classes in demand: they use up theirs.
void heap_drain_forgotten(Heap* heap);

// Collects what waits for a heap, of class `c` first, unless somebody works there. With any door.
void help(Heap* heap, unsigned c);

// The same, if something waits and the heap is parked or its owner has not visited for a while: a
// thread that sleeps strands nothing. help_after_push: for those who pushed a slab of class `k`;
// help_another: of one heap after the other, for those who are at work anyway; false: needless.
void help_after_push(Heap* heap, const SizeClass& k);
bool help_another();

// ---- used between the files of this folder -----------------------------------------------------
// Slabs that one visit works off, so that no malloc pays for a million frees: of each list in its
// turn; of the one that is needed; of any before a heap grows; for an owner that sleeps.
inline constexpr unsigned kListsInTurn = 2;
inline constexpr unsigned kDrainInTurn = 3;
inline constexpr unsigned kDrainNeeded = 64;
inline constexpr unsigned kDrainBeforeGrowth = 16;
inline constexpr unsigned kDrainHelping = 256;

// Whether a slab is on a pending list; those taken off one do not count. Sequentially consistent:
// who pushes looks at the flag then, or tries the door; who set it, or let go of that, looks here.
bool is_pending(const Heap* heap);

// Lets go of another heap's door; for one without a thread collects what was pushed meanwhile.
void leave(Heap* heap);

// In the child of a fork: makes all pending lists anew from the remote words, for a thread that is
// gone may have stood anywhere between its OR and its push.
void pending_rebuild();

// Helps, if something waits and the heap is parked or its owner seems to sleep; false: not so.
bool help_waiting(Heap* heap);

// Puts a slab that rises (Bin) on the list where its filling belongs; frees it when it is empty and
// there are enough of those. The caller holds the door.
void heap_reshelve(Heap* heap, Descriptor* slab);

// Takes an empty slab out of the heap and gives its span back. The caller holds the door.
void heap_free_slab(Heap* heap, Descriptor* slab);

// A slab of class `c` with something to give, taken over from a parked heap; null if the few that
// were looked at have none. Helps idle heaps on the way. The caller holds the door of `heap`.
Descriptor* heap_adopt(Heap* heap, unsigned c);

// heap_refill for callers who hold the door.
unsigned refill_inside(Heap* heap, const SizeClass& k, void** end, unsigned count);

// Returns the leading objects that lie in the first one's slab, and how many. The door is held.
HAK_INLINE unsigned return_run_inside(Heap* heap, Descriptor* slab, void* const* objects,
                                      unsigned count) {
  const unsigned returned = slab_return_run(slab, objects, count);
  heap->bins[class_of_slot(slab->slot)].counters.flushed += returned;
  if (HAK_UNLIKELY(Bin::rises(slab))) heap_reshelve(heap, slab);
  return returned;
}

// Collects everything and gives back what is empty. The caller holds the door.
void trim_inside(Heap* heap);

}  // namespace hakmem
