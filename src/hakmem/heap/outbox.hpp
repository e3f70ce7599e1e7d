// Objects of other heaps, on their way home, by word of a slab's bitmap: one atomic OR frees many.
#pragma once

#include <bit>

#include "hakmem/base/fatal.hpp"
#include "hakmem/heap/heap.hpp"

namespace hakmem {

// A table of parcels by a hash; one that is in the way of another is sent off. What a thread holds
// back is bounded: each object counts with its size and kObjectCharge.
struct Outbox {
  static constexpr unsigned kParcels = 256;
  static constexpr std::size_t kObjectCharge = 256;
  static constexpr std::size_t kMostCharge = std::size_t{256} << 10;

  struct Parcel {
    std::uintptr_t key;  // the slab's descriptor and the number of the word
    std::uint64_t mask;  // the objects; 0: nothing here
    const SizeClass* k;  // so that the cache line of the slab's owner stays alone
  };

  std::size_t charge;
  unsigned hand;  // the place that is sent off next when there is too much
  unsigned sent;  // parcels, since it was last time to look at the clock
  Parcel parcels[kParcels];
};

void outbox_flush(Outbox& outbox);

// ---- used by outbox_add ------------------------------------------------------------------------
// Both: true as outbox_add. Sends off some of what lies longest: so no free pays for all of it.
bool outbox_relieve(Outbox& outbox);

// An object whose parcel would lie where another one does.
bool outbox_add_elsewhere(Outbox& outbox, void* p, RegionId id);

// Descriptors are aligned to more than a slab has words.
inline constexpr std::uintptr_t kWordMask = kMaxWords - 1;
static_assert(alignof(Descriptor) > kWordMask);

HAK_INLINE Outbox::Parcel parcel_of(const void* p, RegionId id) {
  const SlabPlace place = slab_place_of(p, id);
  const SizeClass& k = kSlotClasses[slot_of(id)];
  // A slab that is not of the longest has fewer objects: that is seen when they come home.
  const unsigned index = slab_index_at(k, k.capacity, place.offset - place.slab->start, p);
  return {address_of(place.slab) | index / 64, std::uint64_t{1} << (index % 64), &k};
}

HAK_INLINE Outbox::Parcel& place_for(Outbox& outbox, std::uintptr_t key) {
  // Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4): the upper bits are well mixed.
  constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15u;
  return outbox.parcels[key * kGolden >> (64 - std::bit_width(Outbox::kParcels - 1))];
}

// Frees an object of another heap through the outbox. `id` is its region id. Cost: about 60
// instructions, and two atomic operations a parcel. True: it is time to look at the clock.
HAK_INLINE bool outbox_add(Outbox& outbox, void* p, RegionId id) {
  const Outbox::Parcel object = parcel_of(p, id);
  Outbox::Parcel& place = place_for(outbox, object.key);
  if (HAK_UNLIKELY(place.key != object.key)) return outbox_add_elsewhere(outbox, p, id);
  if (HAK_UNLIKELY((place.mask & object.mask) != 0)) {
    fatal_pointer("double free of", p, object.k->size);
  }
  place.mask |= object.mask;
  outbox.charge += object.k->size + Outbox::kObjectCharge;
  return HAK_UNLIKELY(outbox.charge >= Outbox::kMostCharge) && outbox_relieve(outbox);
}

}  // namespace hakmem
