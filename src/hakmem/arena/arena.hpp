// Arenas: contiguous address space, reserved at once, made accessible in steps, with its metadata.
//
// One reservation holds it all:
//
//   guard | region ids | places | descriptors | local bitmaps | remote bitmaps | metadata heap |
//   guard | regions
//
// The first arena is the one the fast path knows. When it is exhausted further ones come; pointers
// into those fail the fast path's bounds check and every free of them goes through the slow door.
// Everything that changes an arena happens under the lock of the span allocator (arena/spans.hpp).
#pragma once

#include <atomic>
#include <span>

#include "hakmem/arena/apart.hpp"
#include "hakmem/arena/descriptor.hpp"
#include "hakmem/arena/region_map.hpp"
#include "hakmem/os/lock.hpp"

namespace hakmem {

// An array with one element a region, accessible up to a watermark. Elements read as zero first.
struct GrowingArray {
  char* base;
  std::size_t element_bytes;
  std::size_t accessible;  // bytes

  // Makes the elements [0, count) writable. False when the system refuses.
  [[nodiscard]] bool grow_to(std::size_t count, std::size_t step_bytes, std::size_t capacity);
};

struct Arena {
  char* base;            // of region 0
  std::size_t regions;   // reserved
  std::size_t frontier;  // regions from here on were never used
  std::size_t mapped;    // bytes of the whole reservation
  char* mapping;
  GrowingArray ids;
  GrowingArray places;
  GrowingArray descriptors;
  GrowingArray local_bits;
  GrowingArray remote_bits;  // only as far as spans that need them lie (span_open_remote_bits)
  GrowingArray memory;

  Descriptor* descriptor(std::size_t region) const {
    return reinterpret_cast<Descriptor*>(descriptors.base) + region;
  }
  // Of a region of a slab: how many of the slab's lie before it. Bytes: many share a line.
  std::uint8_t& place(std::size_t region) const {
    return reinterpret_cast<std::uint8_t*>(places.base)[region];
  }
  std::atomic<RegionId>& id(std::size_t region) const {
    return reinterpret_cast<std::atomic<RegionId>*>(ids.base)[region];
  }
  bool contains(const void* p) const {
    return address_of(p) - address_of(base) < regions << kRegionShift;
  }
};

inline constexpr std::size_t kMaxArenas = 64;
extern constinit Arena arenas[kMaxArenas];
extern constinit std::atomic<std::size_t> arena_count;  // release: the arena is complete

inline std::span<Arena> arenas_so_far() {
  return {arenas, arena_count.load(std::memory_order_acquire)};
}

// Adds an arena of at least `regions` regions; more where the limits allow. False: not to be had.
[[nodiscard]] bool arena_add(std::size_t regions);

// Makes regions up to `frontier` usable: memory, descriptors, local bitmaps, ids. Honours a limit
// of address space that was lowered since: then the unused tail is given back.
[[nodiscard]] bool arena_advance(Arena& arena, std::size_t frontier);

// Regions that arena_advance made usable so far, in all arenas. Any thread; a hint.
extern constinit std::atomic<std::size_t> regions_ever_used;

// Of address space, in bytes, as far as is known; SIZE_MAX: none. Any thread.
extern constinit std::atomic<std::size_t> known_limit;

// For pointers beyond the first arena.
Arena* further_arena_of(const void* p);

// The arena that holds `p`, or null.
inline Arena* arena_of(const void* p) {
  return HAK_LIKELY(arenas[0].contains(p)) ? &arenas[0] : further_arena_of(p);
}

inline Arena& arena_of(const Descriptor* d) { return arenas[d->arena]; }

inline std::size_t region_of(const Descriptor* d, const Arena& arena) {
  return static_cast<std::size_t>(d - arena.descriptor(0));
}

inline std::size_t region_of(const Descriptor* d) { return region_of(d, arena_of(d)); }

inline char* memory_of(const Descriptor* d) {
  return arenas[d->arena].base + (region_of(d) << kRegionShift);
}

// region_id_of for pointers into any arena, and for objects mapped apart.
inline RegionId region_id_anywhere(const void* p) {
  const Arena* arena = arena_of(p);
  if (arena == nullptr) return apart_id(p);
  const std::size_t region = (address_of(p) - address_of(arena->base)) >> kRegionShift;
  return arena->id(region).load(std::memory_order_relaxed);
}

// Writes the id of each of the span's regions. The name is the original's, which wrote a header on
// every allocation; here it happens once, when a span becomes something else. Relaxed: the object
// is handed out, or passed on, by something that orders these writes before its use.
void tiny_region_id_write_header(Descriptor* head, RegionId first, RegionId rest);

// Memory for metadata of other layers (heaps, arrays of caches): zeroed, aligned to 64, never
// reused for objects, never unmapped. Null when there is none. Thread-safe.
void* metadata_allocate(std::size_t bytes);

// Takes a block back for later calls of the same size, rounded up to a power of two. Thread-safe.
void metadata_free(void* p, std::size_t bytes);

// Guards the metadata heap.
extern constinit os::Lock metadata_lock;

// Bytes of metadata made accessible so far: all arrays and the metadata heap; or how many of those
// the system says are in memory. Under the lock of the span allocator.
std::size_t metadata_bytes(bool resident = false);

}  // namespace hakmem
