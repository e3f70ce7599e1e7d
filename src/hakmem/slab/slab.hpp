// Slabs: spans cut into objects of one size class, with bitmaps kept outside the memory they
// describe. A set bit is a free object; nothing is ever written into free memory.
// Everything here is called by who holds the door of the slab's heap, if nothing else is said.
#pragma once

#include "hakmem/arena/arena.hpp"
#include "hakmem/slab/size_classes.hpp"

namespace hakmem {

inline const SizeClass& class_of(const Descriptor* slab) { return kSlotClasses[slab->slot]; }

// Descriptor::start, from the owner's line.
inline unsigned slab_start(const Descriptor* slab) { return slab->colour * unsigned{kCacheLine}; }

inline unsigned capacity_of(const Descriptor* d) { return class_of(d).capacity_of(d->regions); }

// Makes a span, as long as the class allows, a slab of the heap `owner`. Its first object lies
// `colour` cache lines behind its start, modulo what is spare. False: no memory for its bitmaps.
[[nodiscard]] bool slab_create(Descriptor* span, const SizeClass& k, std::uint32_t owner,
                               unsigned colour);

// Makes the slab another heap's. The caller holds the doors of both.
void slab_change_owner(Descriptor* slab, std::uint32_t owner);

// Takes an empty slab back: region ids are cleared, the span is nothing special again. The heap
// does not know the slab any more; late remote frees may still touch the descriptor's remote state.
void slab_destroy(Descriptor* slab);

// Both write downwards from `end` (end[-1], end[-2], ...), lowest address first, up to `count`
// objects, and return how many. slab_take: free objects that were used before; slab_carve: never
// used ones, moving the frontier. Under HAKMEM_LIMIT they may leave those without pages.
unsigned slab_take(Descriptor* slab, void** end, unsigned count);
unsigned slab_carve(Descriptor* slab, void** end, unsigned count);

// Where `p` lies: its slab, and how far behind the slab's first byte; the program ends where there
// is none. Any thread; the answer holds while the caller knows an object of the slab to be alive.
struct SlabPlace {
  Descriptor* slab;
  std::size_t offset;
};

[[noreturn]] void fail_no_slab(const void* p);

HAK_INLINE SlabPlace slab_place_of(const void* p, RegionId id) {
  if (HAK_UNLIKELY(owner_of(id) == 0 || slot_of(id) >= kSlots)) fail_no_slab(p);
  const Arena* arena = arena_of(p);
  const std::size_t offset = address_of(p) - address_of(arena->base);
  const std::size_t region = offset >> kRegionShift;
  const std::size_t head = region - arena->place(region);
  return {arena->descriptor(head), offset - (head << kRegionShift)};
}

inline Descriptor* slab_of(const void* p, RegionId id) { return slab_place_of(p, id).slab; }

[[noreturn]] void fail_no_object(const void* p, const SizeClass& k, bool beyond_last);

// For objects of one word of a bitmap, `twice`, that were freed before: names the first.
[[noreturn]] void fail_double_free(const Descriptor* slab, const SizeClass& k, unsigned word,
                                   std::uint64_t twice);

// For an object that cannot be returned: names why.
[[noreturn]] void fail_return(const Descriptor* slab, const void* p);

// The number of the object `offset` bytes behind the first. Ends the program when there is none.
HAK_INLINE unsigned slab_index_at(const SizeClass& k, unsigned objects, std::size_t offset,
                                  const void* p) {
  // Before the first object the offset wraps around and is larger than any slab; the product may
  // overflow then, and gives some index that is not the offset's.
  const std::uint64_t index = offset * k.reciprocal >> kReciprocalShift;
  if (HAK_UNLIKELY(index * k.size != offset || index >= objects)) {
    fail_no_object(p, k, index >= objects && index * k.size == offset);
  }
  return static_cast<unsigned>(index);
}

// The number of the object at `p`. Ends the program when `p` is not the start of one.
unsigned slab_index_checked(const Descriptor* slab, const void* p);

// Objects came back: there may be more pages to give back now.
inline void wake(Descriptor* slab) {
  if (slab->slab.rest == Rest::done) slab->slab.rest = Rest::resting;
  if (slab->slab.rest == Rest::trimmed) slab->slab.rest = Rest::busy;
}

// Returns objects of one word of the bitmap at once (remote frees).
void slab_return_word(Descriptor* slab, unsigned word, std::uint64_t mask);

inline unsigned slab_available(const Descriptor* slab) {
  return slab->slab.free + (capacity_of(slab) - slab->slab.frontier);
}

// Every object is free and in the slab.
inline bool slab_is_empty(const Descriptor* slab) { return slab->slab.free == slab->slab.frontier; }

}  // namespace hakmem
