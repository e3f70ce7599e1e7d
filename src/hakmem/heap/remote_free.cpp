// Remote free: from the thread that frees to the heap that owns, and the owner's collecting.

#include "hakmem/base/fatal.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/heap/holes.hpp"
#include "hakmem/heap/outbox.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/slab/remote.hpp"

namespace hakmem {
namespace {

// Puts a slab that is in the caller's hands (its summary just became not 0) on a pending list of
// the heap that its descriptor named as its owner. Returns the heap, or null if the slab has
// changed hands meanwhile: then it has been passed on, as far as that could be done from here.
Heap* deliver(Descriptor* slab, std::uint32_t owner, unsigned c) {
  Heap* heap = heap_by_id(owner);
  heap->pushes.fetch_add(1, std::memory_order_seq_cst);  // before the push: see registry_park
  config::delay_point();
  std::atomic<Descriptor*>& pending = heap->pending[c];
  Descriptor* head = pending.load(std::memory_order_relaxed);
  do {
    slab->link.store(head, std::memory_order_relaxed);
    // Release: the link is seen. Sequentially consistent with the next load: slab_change_owner.
  } while (!pending.compare_exchange_weak(head, slab, std::memory_order_seq_cst,
                                          std::memory_order_relaxed));
  config::delay_point();
  // A push too late, to a heap that nobody may visit again: later frees would wait behind it.
  if (HAK_LIKELY(slab->owner.load(std::memory_order_seq_cst) == owner)) return heap;
  help(heap, c);
  return nullptr;
}

using Parcel = Outbox::Parcel;

void send(const Parcel& parcel) {
  auto* slab = reinterpret_cast<Descriptor*>(parcel.key & ~kWordMask);
  const auto word = static_cast<unsigned>(parcel.key & kWordMask);
  // Before the OR, while the objects keep the slab alive. Acquire: the heap is seen whole.
  const std::uint32_t owner = slab->owner.load(std::memory_order_acquire);
  // Nobody's: its objects were freed before, and then all of it.
  if (HAK_UNLIKELY(owner == 0)) fail_double_free(slab, *parcel.k, word, parcel.mask);
  config::delay_point();
  if (!remote_return(slab, *parcel.k, word, parcel.mask)) return;
  config::delay_point();
  if (Heap* heap = deliver(slab, owner, class_of_slot(parcel.k->slot))) {
    help_after_push(heap, *parcel.k);
  }
}

constexpr unsigned kPlacesAtOnce = 16;  // divides their number

std::size_t charge_of(const Parcel& parcel) {
  return count_bits(parcel.mask) * (parcel.k->size + Outbox::kObjectCharge);
}

void send_off(Outbox& outbox, Parcel& place) {
  if (place.mask == 0) return;
  ++outbox.sent;
  const Parcel parcel = place;
  place = {};  // the key too: the slab may be one of another class when its next object comes
  outbox.charge -= charge_of(parcel);
  send(parcel);
}

// The pending list of a class becomes the one that is worked off, if that is empty.
void take_list(Heap* heap, unsigned c) {
  std::atomic<Descriptor*>& pending = heap->pending[c];
  if (heap->taken[c] != nullptr || pending.load(std::memory_order_relaxed) == nullptr) return;
  // Acquire: pairs with the pushes; the links are seen.
  heap->taken[c] = pending.exchange(nullptr, std::memory_order_acquire);
}

// At most so many slabs of the list that was taken.
unsigned work_off(Heap* heap, unsigned c, unsigned slabs) {
  unsigned done = 0;
  for (; done < slabs && heap->taken[c] != nullptr; ++done) {
    Descriptor* slab = heap->taken[c];
    // Release: who reads it sees the counts of these pushes (waiting_slabs).
    heap->drained.store(heap->drained.load(std::memory_order_relaxed) + 1,
                        std::memory_order_release);
    // The link first: once the summary is 0 others may push the slab again.
    heap->taken[c] = slab->link.load(std::memory_order_relaxed);
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
      note_returned();
      if (Bin::rises(slab)) heap_reshelve(heap, slab);
    } else if (owner != 0 && remote_put_back(slab, summary)) {
      Heap* home = deliver(slab, owner, c);  // a late push: forward it
      if (home != nullptr && is_parked(home)) help(home, c);
    }
    // No slab at all: the late step of a freer whose objects were collected long ago. Dropped.
  }
  return done;
}

void turn_to_next_list(Heap* heap) { heap->next_list = (heap->next_list + 1) % kClasses; }

bool is_time(Outbox& outbox) {
  if (outbox.sent < Outbox::kParcels) return false;
  outbox.sent = 0;
  return true;
}

}  // namespace

void remote_free(void* p, RegionId id) { send(parcel_of(p, id)); }

HAK_NOINLINE bool outbox_add_elsewhere(Outbox& outbox, void* p, RegionId id) {
  const Parcel object = parcel_of(p, id);
  // A few of these would fill the outbox, and send smaller ones off one by one.
  if (object.k->size > Outbox::kMostCharge / 8) {
    send(object);
    outbox.sent += kPlacesAtOnce;  // of memory it is as many
    return is_time(outbox);
  }
  Parcel& place = place_for(outbox, object.key);
  send_off(outbox, place);
  place = object;
  outbox.charge += charge_of(object);
  return outbox.charge >= Outbox::kMostCharge ? outbox_relieve(outbox) : is_time(outbox);
}

bool outbox_relieve(Outbox& outbox) {
  const unsigned first = outbox.hand;
  do {
    send_off(outbox, outbox.parcels[outbox.hand++ % Outbox::kParcels]);
  } while (outbox.hand % kPlacesAtOnce != 0 ||
           (outbox.charge >= Outbox::kMostCharge && outbox.hand - first < Outbox::kParcels));
  return is_time(outbox);
}

void outbox_flush(Outbox& outbox) {
  if (outbox.charge == 0) return;
  memory_tick();
  for (Parcel& place : outbox.parcels) send_off(outbox, place);
  outbox.charge = 0;  // whatever a program's misuse made of it
}

unsigned heap_drain(Heap* heap, unsigned c, unsigned slabs) {
  const unsigned done = work_off(heap, c, slabs);
  if (done == slabs) return done;
  take_list(heap, c);  // once: what is pushed from now on can wait, or this might never end
  return done + work_off(heap, c, slabs - done);
}

unsigned heap_drain_any(Heap* heap, unsigned slabs) {
  unsigned done = 0;
  for (unsigned i = 0; i < kClasses && done < slabs && waiting_slabs(heap) != 0; ++i) {
    done += heap_drain(heap, heap->next_list, slabs - done);
    turn_to_next_list(heap);
  }
  return done;
}

void heap_drain_forgotten(Heap* heap) {
  for (unsigned i = 0; i < kListsInTurn; ++i, turn_to_next_list(heap)) {
    const std::uint64_t bit = std::uint64_t{1} << heap->next_list;
    const bool in_demand = (heap->served & bit) != 0;
    heap->served &= ~bit;
    if (in_demand) continue;
    take_list(heap, heap->next_list);
    work_off(heap, heap->next_list, kDrainInTurn);
    if (heap->taken[heap->next_list] != nullptr) return;  // the rest of it the next time
  }
}

void pending_rebuild() {
  for_each_heap([](Heap* heap) {
    for (auto& list : heap->pending) list.store(nullptr, std::memory_order_relaxed);
    for (auto& list : heap->taken) list = nullptr;
    heap->drained.store(heap->pushes.load(std::memory_order_relaxed), std::memory_order_relaxed);
  });
  for (const Arena& arena : arenas_so_far()) {
    for (std::size_t region = 0; region < arena.frontier; ++region) {
      Descriptor* slab = arena.descriptor(region);
      const std::uint32_t owner = slab->owner.load(std::memory_order_relaxed);
      const std::uint64_t summary = owner != 0 ? remote_filled_words(slab) : 0;
      // Written only where it differs: the pages are the parent's, too.
      if (slab->summary.load(std::memory_order_relaxed) != summary) {
        slab->summary.store(summary, std::memory_order_relaxed);
      }
      if (summary != 0) deliver(slab, owner, class_of_slot(slab->slot));
    }
  }
}

}  // namespace hakmem
