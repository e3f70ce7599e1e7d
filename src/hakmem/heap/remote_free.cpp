// Remote free: from the thread that frees to the heap that owns, and the owner's collecting.

#include "hakmem/base/fatal.hpp"
#include "hakmem/config/delay.hpp"
#include "hakmem/heap/heap.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/slab/remote.hpp"

namespace hakmem {
namespace {

// The slab is in the caller's hands (its summary just became not 0).
void push_pending(Heap* heap, Descriptor* slab) {
  Descriptor* head = heap->pending.load(std::memory_order_relaxed);
  do {
    slab->link.store(head, std::memory_order_relaxed);
    // Release: who takes the list sees the link.
  } while (!heap->pending.compare_exchange_weak(head, slab, std::memory_order_release,
                                                std::memory_order_relaxed));
}

using Parcel = Outbox::Parcel;

// Descriptors are aligned to more than a slab has words.
constexpr std::uintptr_t kWordMask = kMaxWords - 1;
static_assert(alignof(Descriptor) > kWordMask);

void send(const Parcel& parcel) {
  auto* slab = reinterpret_cast<Descriptor*>(parcel.key & ~kWordMask);
  const auto word = static_cast<unsigned>(parcel.key & kWordMask);
  // Before the OR, while the objects keep the slab alive. Acquire: the heap is seen whole.
  const std::uint32_t owner = slab->owner.load(std::memory_order_acquire);
  config::delay_point();
  if (!remote_return(slab, *parcel.k, word, parcel.mask)) return;
  config::delay_point();
  Heap* heap = heap_by_id(owner);
  push_pending(heap, slab);
  // A push that came too late, to a heap that nobody may ever visit again: pass it on at once, or
  // later frees of the slab's new owner would wait behind it.
  if (HAK_UNLIKELY(slab->owner.load(std::memory_order_acquire) != owner)) return help(heap);
  help_if_idle(heap);
}

[[noreturn]] HAK_COLD void fail_no_slab(const void* p) {
  fatal_pointer("invalid pointer, into memory that is free:", p);
}

[[noreturn]] HAK_COLD void fail_freed_twice(const void* p, const SizeClass& k) {
  fatal_pointer("double free of", p, k.size);
}

HAK_INLINE Parcel parcel_of(const void* p, RegionId id) {
  const SlabPlace place = slab_place_of(p, id);
  if (HAK_UNLIKELY(place.slab == nullptr)) fail_no_slab(p);
  const SizeClass& k = kSizeClasses[class_of_slot(slot_of(id))];
  const unsigned index = slab_index_at(k, place.offset - place.slab->start, p);
  return {address_of(place.slab) | index / 64, std::uint64_t{1} << (index % 64), &k};
}

Parcel& place_for(Outbox& outbox, std::uintptr_t key) {
  // Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4): the upper bits are well mixed.
  constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15u;
  return outbox.parcels[key * kGolden >> (64 - std::bit_width(Outbox::kParcels - 1))];
}

// The object's parcel would lie where another one does.
HAK_NOINLINE void outbox_add_elsewhere(Outbox& outbox, void* p, RegionId id) {
  const Parcel object = parcel_of(p, id);
  Parcel& place = place_for(outbox, object.key);
  if (place.mask != 0) {
    outbox.charge -= count_bits(place.mask) * (place.k->size + Outbox::kObjectCharge);
    send(place);
  }
  place = object;
  outbox.charge += object.k->size + Outbox::kObjectCharge;
  if (outbox.charge >= Outbox::kMostCharge) outbox_flush(outbox);
}

}  // namespace

void remote_free(void* p, RegionId id) { send(parcel_of(p, id)); }

void outbox_add(Outbox& outbox, void* p, RegionId id) {
  const Parcel object = parcel_of(p, id);
  Parcel& place = place_for(outbox, object.key);
  if (HAK_UNLIKELY(place.key != object.key)) return outbox_add_elsewhere(outbox, p, id);
  if (HAK_UNLIKELY((place.mask & object.mask) != 0)) fail_freed_twice(p, *object.k);
  place.mask |= object.mask;
  outbox.charge += object.k->size + Outbox::kObjectCharge;
  if (HAK_UNLIKELY(outbox.charge >= Outbox::kMostCharge)) outbox_flush(outbox);
}

void outbox_flush(Outbox& outbox) {
  if (outbox.charge == 0) return;
  outbox.charge = 0;
  for (Parcel& place : outbox.parcels) {
    if (place.mask == 0) continue;
    const Parcel parcel = place;
    place = {};  // the key too: the slab may be one of another class when its next object comes
    send(parcel);
  }
}

void heap_drain(Heap* heap, unsigned slabs) {
  for (; slabs > 0; --slabs) {
    if (heap->taken == nullptr) {
      if (heap->pending.load(std::memory_order_relaxed) == nullptr) return;
      // Acquire: pairs with the pushes; the links are seen.
      heap->taken = heap->pending.exchange(nullptr, std::memory_order_acquire);
    }
    Descriptor* slab = heap->taken;
    ++heap->drained;
    // The link first: once the summary is 0 others may push the slab again.
    heap->taken = slab->link.load(std::memory_order_relaxed);
    config::delay_point();
    const std::uint64_t summary = remote_take_summary(slab);
    config::delay_point();
    // Only now the owner: a slab that was carved anew shows it, because the freer that pushed (or
    // set a bit of) the summary had seen it. Ours can change only under our door.
    const std::uint32_t owner = slab->owner.load(std::memory_order_acquire);
    if (owner == heap->id) {
      BinCounters& counters = heap->bins[class_of_slot(slab->slot)].counters;
      ++counters.collects;
      counters.collected += remote_collect(slab, summary);
      heap_reshelve(heap, slab);
    } else if (owner != 0 && remote_put_back(slab, summary)) {
      push_pending(heap_by_id(owner), slab);  // a late push: forward it
    }
    // No slab at all: the late step of a freer whose objects were collected long ago. Dropped.
  }
}

}  // namespace hakmem
