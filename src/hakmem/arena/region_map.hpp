// From a pointer to its region id: one bounds check, one load. The only place that does it.
//
// Address space is divided into regions of 64 KiB. Each region of the first arena has a 32-bit
// word, its region id: [owner:24 | slot:8]. For a slab, `owner` is the id of its heap and `slot`
// names its size class; all its regions have the same word. Owner 0: it says what else is there.
#pragma once

#include <atomic>

#include "hakmem/base/bits.hpp"
#include "hakmem/base/platform.hpp"

namespace hakmem {

inline constexpr unsigned kRegionShift = 16;
inline constexpr std::size_t kRegionBytes = std::size_t{1} << kRegionShift;

using RegionId = std::uint32_t;

// Words with owner 0. All of them are >= 2^8 apart from any heap's tag, so no fast path takes them.
inline constexpr RegionId kRegionUnused = 0;    // nothing lives here, or not ours at all
inline constexpr RegionId kRegionLarge = 1;     // the first region of a large object
inline constexpr RegionId kRegionInterior = 2;  // the inside of a large object
inline constexpr RegionId kRegionFreed = 3;     // a freed one: on a shelf, or was mapped apart
inline constexpr unsigned kOwnerShift = 8;
inline constexpr std::uint32_t kMaxOwner = (1u << 24) - 2;

// A tag that no region id can match: for threads that own nothing.
inline constexpr RegionId kUnmatchableTag = 0xFFFFFF00u;

constexpr RegionId tag_of_owner(std::uint32_t owner) { return owner << kOwnerShift; }
constexpr std::uint32_t owner_of(RegionId id) { return id >> kOwnerShift; }
constexpr unsigned slot_of(RegionId id) { return id & 0xFFu; }

// The first arena as the fast path sees it. Zero until there is one, and then every pointer is
// outside. Written once; relaxed loads, plain moves in the machine code: whoever holds a pointer
// into the arena got it from a thread that saw these values.
struct alignas(32) ArenaWindow {  // within one line
  std::atomic<std::uintptr_t> base;
  std::atomic<std::size_t> bytes;
  std::atomic<std::atomic<RegionId>*> ids;
};
extern constinit ArenaWindow arena_window __attribute__((visibility("hidden")));

// The id of the region that `p` points into; kRegionUnused for every pointer outside the first
// arena, null included. Cost: 8 instructions, one branch. The id is read relaxed: it was written
// before the object was handed out, and whoever may pass the object on has ordered that already.
HAK_INLINE RegionId region_id_of(const void* p) {
  const std::uintptr_t offset = address_of(p) - arena_window.base.load(std::memory_order_relaxed);
  if (HAK_UNLIKELY(offset >= arena_window.bytes.load(std::memory_order_relaxed))) {
    return kRegionUnused;
  }
  const std::atomic<RegionId>* ids = arena_window.ids.load(std::memory_order_relaxed);
  return ids[offset >> kRegionShift].load(std::memory_order_relaxed);
}

}  // namespace hakmem
