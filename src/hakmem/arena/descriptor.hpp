// What is known of a span: a run of regions that is free, a slab, or a large object.
//
// Each region has a descriptor, kept apart from the memory it describes; the one of a span's first
// region speaks for the span. Two cache lines: the first belongs to the owner, the second to
// everybody who frees objects of the slab from other threads.
#pragma once

#include <atomic>

#include "hakmem/base/platform.hpp"

namespace hakmem {

// Bitmaps of slabs up to this size, 64 objects a word, lie in the descriptor itself.
inline constexpr unsigned kInlineWords = 4;

// Larger slabs have a bitmap of this size in the arena's bitmap arrays. Those that need half of it
// have their remote bitmap in the other half, and the second array is accessible only for others.
inline constexpr unsigned kMaxWords = 64;
inline constexpr unsigned kHalfOfWords = kMaxWords / 2;

struct Descriptor;

// How long a slab has been left alone, as the round that gives free pages back finds it
// (heap/holes.hpp). Handing out objects makes it busy again, objects that come back wake it. A trim
// found a slab busy and left nothing for the next one.
enum class Rest : std::uint8_t { busy, resting, done, trimmed };

struct SlabState {
  Descriptor* next;  // in a list of its heap's
  Descriptor* prev;
  std::uint16_t free;      // objects whose bit is set
  std::uint16_t frontier;  // objects from here on were never handed out
  std::uint8_t level;      // which list it is on
  Rest rest : 2;
  bool holes : 1;       // some pages are given back
  bool keeps : 1;       // the system would not take a page back: it is not asked again
  std::uint16_t given;  // pages given back, of this region: each region of the slab has its own
  union {
    std::uint64_t bits[kInlineWords];  // 1: free
    std::uint64_t summary;             // for an outside bitmap: which of its words are not 0
  };
};

struct LargeState {
  Descriptor* next;  // in the list of its heap's
  Descriptor* prev;
  std::uint32_t heap;       // a shared heap's id; 0: no heap's
  std::size_t bytes;        // usable, from the object's start
  char* apart;              // where it is mapped, if that is outside the arenas (arena/apart.hpp)
  std::uint32_t copied_at;  // regions it had after growing last copied it, 0: never
  bool moved_start;         // the start may lie behind the span's
};

struct FreeState {
  Descriptor* left;  // children in the tree of free spans
  Descriptor* right;
  Descriptor* newer;  // neighbours in the list of dirty spans, by age
  Descriptor* older;
  std::uint64_t since;  // when it was freed, in coarse milliseconds
};

struct alignas(2 * kCacheLine) Descriptor {
  // -- the owner's line; of other spans, of who holds the arena's lock or the object
  bool is_free : 1;   // at the first and last region of a free span, and nowhere else
  bool dirty : 1;     // of a free span: its memory may hold something else than zero
  bool reserved : 1;  // of a free span: kept for what lies before it to grow into; clean
  std::uint8_t slot;
  std::uint8_t arena;
  std::uint8_t colour;    // of a slab: `start`, in cache lines
  std::uint32_t regions;  // length of the span; of a free span also at its last region
  union {
    SlabState slab;
    LargeState large;
    FreeState free;
  };

  // -- everybody's line. `summary`, `link` and `bits` are the descriptor's for ever: late freers
  //    may touch them when it is no slab; only the protocol of slab/remote.hpp writes them.
  alignas(kCacheLine) std::atomic<std::uint32_t> owner;  // heap id; 0: no slab
  std::uint32_t start;         // offset of the first object from the first region, in bytes
  std::uint8_t arena_for_all;  // of a slab: as `arena`
  std::atomic<std::uint64_t> summary;
  std::atomic<Descriptor*> link;
  std::atomic<std::uint64_t> bits[kInlineWords];
};
static_assert(sizeof(Descriptor) == 2 * kCacheLine);

}  // namespace hakmem
