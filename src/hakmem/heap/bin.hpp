// A bin: a heap's slabs of one size class, in lists by how much they have to give. Refill takes the
// fullest first, so that sparse slabs drain and can be freed.
#pragma once

#include "hakmem/slab/slab.hpp"

namespace hakmem {

struct BinCounters {
  std::uint64_t carves, carved;       // visits, and objects that were never used before
  std::uint64_t refills, refilled;    // visits, and objects that were used before
  std::uint64_t flushes, flushed;     // visits, and objects returned by the owner
  std::uint64_t collects, collected;  // slabs drained, and objects that other threads had freed
};

// All functions: the caller holds the door of the bin's heap.
struct Bin {
  // Level 0 holds the fullest slabs that have something to give, by quarters.
  static constexpr unsigned kLevels = 4;
  static constexpr unsigned kEmptyLevel = kLevels;
  static constexpr unsigned kFullLevel = kLevels + 1;

  Descriptor* levels[kLevels + 2];
  std::uint64_t slabs : 28;    // two words in all: a heap is to fit a block of metadata
  std::uint64_t regions : 28;  // of all slabs
  std::uint64_t colour : 8;
  std::uint64_t objects : 39;  // that the slabs have room for
  std::uint64_t empty : 24;
  std::uint64_t wanted : 1;  // by a visit: the first slab that comes to be empty is kept
  BinCounters counters;

  static unsigned level_of(const Descriptor* slab);

  // What a slab has to give more on the next level.
  static unsigned step_of(const Descriptor* slab) {
    const unsigned capacity = capacity_of(slab);
    return capacity < kLevels ? 1 : capacity / kLevels;
  }

  // Whether a slab to which objects came back belongs on another list now.
  static bool rises(const Descriptor* slab) {
    const unsigned level = slab->slab.level;
    if (level >= kEmptyLevel) return level == kFullLevel && slab_available(slab) != 0;
    const unsigned most = (level + 1) * step_of(slab);
    return slab_is_empty(slab) || (level + 1 < kLevels && slab_available(slab) > most);
  }

  void shelve(Descriptor* slab, unsigned level);
  void unshelve(Descriptor* slab);

  // The fullest slab that has something to give, or null.
  Descriptor* fullest() const;

  // Takes the bin's slab out, for another heap or for the arena.
  void remove(Descriptor* slab);
  void add(Descriptor* slab);
};

}  // namespace hakmem
