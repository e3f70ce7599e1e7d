// Remote free: from the thread that frees to the heap that owns, and the owner's collecting.

#include "hakmem/base/fatal.hpp"
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

struct Place {
  Descriptor* slab;
  unsigned word;
  std::uint64_t bit;
};

Place place_of(const void* p) {
  Descriptor* slab = slab_of(p, region_id_anywhere(p));
  if (HAK_UNLIKELY(slab == nullptr)) fatal_pointer("invalid pointer, into memory that is free:", p);
  const unsigned index = slab_index_checked(slab, p);
  return {slab, index / 64, std::uint64_t{1} << (index % 64)};
}

void return_word(Descriptor* slab, unsigned word, std::uint64_t mask) {
  // Before the OR, while the objects keep the slab alive. Acquire: the heap is seen whole.
  const std::uint32_t owner = slab->owner.load(std::memory_order_acquire);
  if (!remote_return(slab, word, mask)) return;
  Heap* heap = heap_by_id(owner);
  push_pending(heap, slab);
  // A push that came too late, to a heap that nobody may ever visit again: pass it on at once, or
  // later frees of the slab's new owner would wait behind it.
  if (HAK_UNLIKELY(slab->owner.load(std::memory_order_acquire) != owner)) return help(heap);
  help_if_idle(heap);
}

}  // namespace

void remote_free(void* const* objects, unsigned count) {
  Place places[Outbox::kCapacity];
  for (unsigned i = 0; i < count; ++i) places[i] = place_of(objects[i]);
  // Objects of one word go together. Few words are in play at a time: looking through the rest for
  // each costs less than sorting.
  for (unsigned i = 0; i < count; ++i) {
    if (places[i].bit == 0) continue;
    std::uint64_t mask = places[i].bit;
    for (unsigned j = i + 1; j < count; ++j) {
      if (places[j].slab != places[i].slab || places[j].word != places[i].word) continue;
      if (HAK_UNLIKELY((mask & places[j].bit) != 0)) {
        fatal_pointer("double free of", objects[j], class_of(places[j].slab).size);
      }
      mask |= places[j].bit;
      places[j].bit = 0;
    }
    return_word(places[i].slab, places[i].word, mask);
  }
}

void outbox_add(Outbox& outbox, void* p, std::size_t bytes) {
  outbox.objects[outbox.count++] = p;
  outbox.bytes += bytes;
  if (outbox.count == Outbox::kCapacity || outbox.bytes >= Outbox::kMostBytes) outbox_flush(outbox);
}

void outbox_flush(Outbox& outbox) {
  const unsigned count = outbox.count;
  if (count == 0) return;
  remote_free(outbox.objects, count);
  outbox.count = 0;
  outbox.bytes = 0;
}

void heap_drain(Heap* heap, unsigned slabs) {
  for (; slabs > 0; --slabs) {
    if (heap->taken == nullptr) {
      if (heap->pending.load(std::memory_order_relaxed) == nullptr) return;
      // Acquire: pairs with the pushes; the links are seen.
      heap->taken = heap->pending.exchange(nullptr, std::memory_order_acquire);
    }
    Descriptor* slab = heap->taken;
    // The link first: once the summary is 0 others may push the slab again.
    heap->taken = slab->link.load(std::memory_order_relaxed);
    const std::uint64_t summary = remote_take_summary(slab);
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
