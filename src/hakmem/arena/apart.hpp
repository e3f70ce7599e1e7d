// Large objects mapped apart: outside all arenas, each in a mapping of its own, which grows by
// mremap. Those that keep growing where they cannot grow in place go there, by page tables.
//
// Nothing is ever moved into an arena. So an arena stays one mapping, and no failing call can leave
// a hole in it. Places are few, because each is a mapping and a process gets 65,530 of those; the
// fewer are left, the larger must be what takes one. An object belongs to whoever may use it.
#pragma once

#include <atomic>

#include "hakmem/arena/descriptor.hpp"
#include "hakmem/arena/region_map.hpp"
#include "hakmem/os/lock.hpp"

namespace hakmem {

inline constexpr unsigned kMaxApart = 512;
inline constexpr std::size_t kLeastApart = (std::size_t{1} << 20) >> kRegionShift;  // regions

// Guards the table of places; held for a few instructions, and no other is taken meanwhile.
extern constinit os::Lock apart_lock;

// Regions of all such objects. Relaxed: a count.
extern constinit std::atomic<std::size_t> apart_regions;

// Whether the table was ever used. Relaxed: who holds such an object has seen it.
extern constinit std::atomic<bool> apart_used;

struct Apart {
  Descriptor* head;  // start, regions and large.apart are set; null: not done
  bool moved;        // the span's memory reads as zero now; else it was copied
};

// Brings what a span holds to a mapping of at least `regions` regions, more than the span has. The
// span is the caller's still, and on failure it is as before.
Apart apart_open(const Descriptor* span, std::size_t regions);

// Grows, moving where needed. False: it is as before.
bool apart_grow(Descriptor* head, std::size_t regions);

// Gives back what lies behind.
void apart_shrink(Descriptor* head, std::size_t regions);

// Unmaps it. Its start is remembered for a while.
void apart_close(Descriptor* head);

// The object that starts at `p`, or null.
Descriptor* apart_find(const void* p);

// kRegionLarge for the start of such an object, kRegionInterior for its inside, kRegionFreed for
// where one began that was freed or moved lately, else kRegionUnused.
RegionId apart_id(const void* p);

}  // namespace hakmem
