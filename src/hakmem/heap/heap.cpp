#include "hakmem/heap/heap.hpp"

#include "hakmem/arena/spans.hpp"
#include "hakmem/base/fatal.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/heap/registry.hpp"

namespace hakmem {
namespace {

// Slabs of a pending list that one visit works off, so that no malloc pays for a million frees.
constexpr unsigned kDrainPerVisit = 8;
constexpr unsigned kDrainAll = ~0u;

// ---- the lists of a bin ------------------------------------------------------------------------

unsigned level_of(const Descriptor* slab) {
  const unsigned available = slab_available(slab);
  if (available == 0) return Bin::kFullLevel;
  if (slab_is_empty(slab)) return Bin::kEmptyLevel;
  const unsigned quarter = class_of(slab).capacity / Bin::kLevels;
  unsigned level = 0;
  while (level + 1 < Bin::kLevels && available > (level + 1) * quarter) ++level;
  return level;
}

void shelve(Bin& bin, Descriptor* slab, unsigned level) {
  slab->slab.level = static_cast<std::uint8_t>(level);
  if (level == Bin::kFullLevel) return;
  Descriptor* next = bin.levels[level];
  slab->slab.next = next;
  slab->slab.prev = nullptr;
  if (next != nullptr) next->slab.prev = slab;
  bin.levels[level] = slab;
  if (level == Bin::kEmptyLevel) ++bin.empty;
}

void unshelve(Bin& bin, Descriptor* slab) {
  const unsigned level = slab->slab.level;
  if (level == Bin::kFullLevel) return;
  Descriptor* next = slab->slab.next;
  Descriptor* prev = slab->slab.prev;
  if (next != nullptr) next->slab.prev = prev;
  (prev != nullptr ? prev->slab.next : bin.levels[level]) = next;
  if (level == Bin::kEmptyLevel) --bin.empty;
}

void free_slab(Bin& bin, Descriptor* slab) {
  --bin.slabs;
  slab_destroy(slab);
  span_free(slab);
}

void free_empty_slabs(Heap* heap) {
  for (Bin& bin : heap->bins) {
    while (Descriptor* slab = bin.levels[Bin::kEmptyLevel]) {
      unshelve(bin, slab);
      free_slab(bin, slab);
    }
  }
}

// ---- new slabs ---------------------------------------------------------------------------------

// Takes one slab's span, from what was taken ahead or from the arena.
Descriptor* take_span(Heap* heap, const SizeClass& k) {
  Descriptor*& segment = heap->segments[lowest_bit(k.regions)];
  if (segment == nullptr) {
    const std::size_t ahead = config::segment_slabs() > 1 ? config::segment_slabs() : 1;
    segment = span_allocate(k.regions * ahead, k.regions).head;
    if (segment == nullptr && ahead > 1) segment = span_allocate(k.regions, k.regions).head;
    if (segment == nullptr) return nullptr;
  }
  Descriptor* span = segment;
  segment = span->regions > k.regions ? span_split(span, k.regions) : nullptr;
  return span;
}

void free_segments(Heap* heap) {
  for (Descriptor*& segment : heap->segments) {
    if (segment != nullptr) span_free(segment);
    segment = nullptr;
  }
}

// Collects everything and gives back what is empty. The caller holds the door.
void trim(Heap* heap) {
  heap_drain(heap, kDrainAll);
  free_empty_slabs(heap);
  free_segments(heap);
}

Descriptor* new_slab(Heap* heap, Bin& bin, const SizeClass& k) {
  Descriptor* span = take_span(heap, k);
  if (span == nullptr) return nullptr;
  slab_create(span, k, heap->id, bin.colour++);
  ++bin.slabs;
  shelve(bin, span, Bin::kEmptyLevel);
  return span;
}

Descriptor* fullest_slab(const Bin& bin) {
  for (Descriptor* slab : bin.levels) {
    if (slab != nullptr) return slab;
  }
  return nullptr;
}

// Takes up to `count` objects out of one slab, downwards from `end`.
unsigned take_from(Bin& bin, Descriptor* slab, void** end, unsigned count) {
  unshelve(bin, slab);
  const unsigned used_before = slab_take(slab, end, count);
  const unsigned never_used = slab_carve(slab, end - used_before, count - used_before);
  shelve(bin, slab, level_of(slab));
  bin.counters.refills += used_before != 0 ? 1 : 0;
  bin.counters.refilled += used_before;
  bin.counters.carves += never_used != 0 ? 1 : 0;
  bin.counters.carved += never_used;
  return used_before + never_used;
}

}  // namespace

void heap_reshelve(Heap* heap, Descriptor* slab) {
  const unsigned level = level_of(slab);
  if (level == slab->slab.level) return;
  Bin& bin = heap->bins[class_of_slot(slab->slot)];
  unshelve(bin, slab);
  if (level == Bin::kEmptyLevel && bin.empty >= config::empty_slabs()) {
    free_slab(bin, slab);
  } else {
    shelve(bin, slab, level);
  }
}

unsigned heap_refill(Heap* heap, const SizeClass& k, void** end, unsigned count) {
  spans_tick();
  const os::Locked inside(heap->door);
  heap_drain(heap, kDrainPerVisit);
  Bin& bin = heap->bins[class_of_slot(k.slot)];
  unsigned done = 0;
  while (done < count) {
    Descriptor* slab = fullest_slab(bin);
    if (slab == nullptr) slab = new_slab(heap, bin, k);
    if (slab == nullptr && done == 0) {
      // Out of memory: everything that waits must be looked at before that is true.
      trim(heap);
      slab = fullest_slab(bin);
      if (slab == nullptr) slab = new_slab(heap, bin, k);
    }
    if (slab == nullptr) break;
    done += take_from(bin, slab, end - done, count - done);
  }
  return done;
}

void heap_return(Heap* heap, void* const* objects, unsigned count) {
  const os::Locked inside(heap->door);
  BinCounters* counters = nullptr;
  for (unsigned done = 0; done < count;) {
    void* const* rest = objects + done;
    Descriptor* slab = slab_of(*rest, region_id_anywhere(*rest));
    if (HAK_UNLIKELY(slab == nullptr)) {
      fatal_pointer("invalid pointer, into memory that is free:", *rest);
    }
    // The region id alone is not trusted: a parked heap's id is used again by its next thread.
    if (HAK_UNLIKELY(slab->owner.load(std::memory_order_relaxed) != heap->id)) {
      remote_free(rest, 1);
      ++done;
      continue;
    }
    const unsigned returned = slab_return_run(slab, rest, count - done);
    counters = &heap->bins[class_of_slot(slab->slot)].counters;
    counters->flushed += returned;
    done += returned;
    heap_reshelve(heap, slab);
  }
  if (counters != nullptr) ++counters->flushes;
}

void heap_trim(Heap* heap) {
  const os::Locked inside(heap->door);
  trim(heap);
}

void heaps_trim_idle() {
  for (std::uint32_t id = 1; id <= heap_count(); ++id) {
    Heap* heap = heap_by_id(id);
    if (!heap->door.try_lock()) continue;  // somebody is at work there
    trim(heap);
    heap->door.unlock();
  }
}

void heap_park(Heap* heap) {
  heap_trim(heap);
  registry_park(heap);
}

}  // namespace hakmem
