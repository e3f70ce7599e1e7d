// The spans of large objects that a thread freed and keeps for its next ones: so these come and go
// without the arena's lock, and their regions' ids stay as they are. Up to 1 MiB: the pages of
// larger objects cost more than the lock does. What is not wanted for a purge delay goes back, at
// the thread's visits to the slow door, or at others' if it makes none. There is no shelf where
// memory is to be given back at once (lean), nor under HAKMEM_LIMIT.
// What one does not want is passed on to those that have nothing: fewer meet at the arena's lock.
#pragma once

#include <atomic>

#include "hakmem/arena/descriptor.hpp"

namespace hakmem {

// A span on the shelf counts as a live large object that is cached; but its id is kRegionFreed.
struct Shelf {
  static constexpr std::size_t kLongest = 16;  // regions

  // Somebody is at work on the next three: the thread, or one that empties the shelves of those
  // that sleep, for a few instructions as a rule. Who finds it set does without the shelf.
  std::atomic<bool> taken;
  Descriptor* spans[kLongest + 1];  // by length, linked by large.next, the last freed first
  std::atomic<std::size_t> bytes;   // of the objects that they were; a hint for others: relaxed
  std::uint64_t looked_at;          // by shelf_tick, in coarse milliseconds

  std::size_t most;             // bytes there may be; part of the thread's budget
  std::uint32_t wanted;         // bit n: n regions were, since the last tidying
  std::uint32_t wanted_before;  // in the time before that
  std::uint32_t visits;         // large objects allocated and freed
  std::uint32_t tidied_at;      // visits then
};

// For each large object that is allocated or freed: now and then helps other heaps and ticks.
void shelf_visit(Shelf& shelf);

// A span of so many regions, or up to a quarter more; or null.
Descriptor* shelf_take(Shelf& shelf, std::size_t regions);

// Keeps an object's span, no shared heap's and in an arena. False: too long, or no room for it.
bool shelf_put(Shelf& shelf, Descriptor* head);

// memory_tick (heap/holes.hpp) with a shelf: gives back what was not wanted for a purge delay, and
// says the time also while much is there.
std::uint64_t shelf_tick(Shelf& shelf);

// Bytes of objects that are passed on and wait for a taker.
std::size_t shelf_passed_on_bytes();

// Gives back all of it.
void shelf_clear(Shelf& shelf);

// Empties shelves not ticked for two purge delays; or all. Both: and what is passed on.
void shelves_tick(std::uint64_t now);
void shelves_clear();

// Gives the span of a large object back to the arena. `zero`: its memory reads as zero.
void large_span_free(Descriptor* head, bool zero = false);

}  // namespace hakmem
