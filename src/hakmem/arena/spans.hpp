// The span allocator (page heap): runs of regions, best fit, coalesced, given back after a while.
//
// A free span is either dirty (its memory may hold something and is likely resident) or clean (it
// reads as zero). The two kinds lie in trees of their own and only neighbours of one kind merge, so
// what is known to be zero stays known. Dirty spans are used first; the ones that waited longest
// are purged and become clean. All is O(log n) expected in free spans, O(regions) in ids.
//
// One lock protects it all, and the arenas: for a walk of a tree or an arena's growth, no purge.
#pragma once

#include "hakmem/arena/arena.hpp"

namespace hakmem {

struct Span {
  Descriptor* head;  // regions and arena set; region ids unused. Null: out of memory
  bool zero;         // the memory reads as zero
};

// Makes sure that there is an arena. False: no address space.
[[nodiscard]] bool spans_start();

// Takes `regions` regions whose address is a multiple of `alignment` regions (a power of two).
// Under a limit (HAKMEM_LIMIT) all dirty spans are given back before the answer is no.
Span span_allocate(std::size_t regions, std::size_t alignment = 1);

// For an object that grows: from memory that is likely resident; or `room` regions of clean memory,
// of which those beyond `regions` are reserved: others take them only when nothing else is left,
// until the span is freed. Without either, null.
Span span_allocate_growing(std::size_t regions, std::size_t room);

// Gives a span back, its region ids unused; `zero`: it reads as zero. Purges what waited too long.
void span_free(Descriptor* head, bool zero = false);

// Cuts a span in two that is not free: [0, regions) stays, the rest becomes a span of its own.
Descriptor* span_split(Descriptor* head, std::size_t regions);

// Extends a span to `regions` regions if what follows is free. The ids of the new part are unused.
bool span_grow(Descriptor* head, std::size_t regions);

// Makes the span's remote bitmap (arena/descriptor.hpp) accessible, which few slabs need.
[[nodiscard]] bool span_open_remote_bits(const Descriptor* head);

// Purges dirty spans that waited for longer than the profile says.
void spans_tick(std::uint64_t now);

// Whether any dirty span waits. One load, for slow-door visits; a hint.
bool spans_waiting();

// Bytes of busy spans that their holders gave back (slab/pages.hpp). Relaxed: a sum.
extern constinit std::atomic<std::size_t> bytes_given_back;
extern constinit std::atomic<std::size_t> slack_given_back;  // of those, where no objects lie

// Whether so many of them may be used again. Under a limit: as span_allocate.
[[nodiscard]] bool spans_can_refill(std::size_t bytes);

// Regions of an arena from here on were never used.
std::size_t spans_frontier(std::size_t arena);

// Purges all dirty spans. Returns the bytes given back.
std::size_t spans_purge_all();

struct SpanStatistics {
  std::size_t mapped;             // address space of all arenas, metadata and guard pages included
  std::size_t ahead;              // made accessible, never used
  std::size_t used;               // in slabs and large objects
  std::size_t dirty;              // free, not given back
  std::size_t clean;              // free, without memory
  std::size_t metadata;           // made accessible for metadata
  std::size_t metadata_resident;  // of that, in memory, as the system says: where that is asked
  std::uint64_t purges;           // spans given back so far
};
SpanStatistics span_statistics(bool ask_system = false);

// For fork: does so with each lock of this layer, in their order.
void spans_locks(void (os::Lock::*action)());

}  // namespace hakmem
