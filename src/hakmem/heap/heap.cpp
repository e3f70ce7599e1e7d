#include "hakmem/heap/heap.hpp"

#include <algorithm>
#include <bit>

#include "hakmem/arena/spans.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/heap/holes.hpp"
#include "hakmem/heap/outbox.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/os/memory.hpp"
#include "hakmem/os/system.hpp"

namespace hakmem {
namespace {

// How often an owner collects, and helps another heap, in any case.
constexpr std::uint32_t kVisitsPerLook = 8;
// Of larger objects a bin keeps an empty slab only where it has so many slabs.
constexpr unsigned kAlwaysKept = 4096;
constexpr unsigned kManySlabs = 8;
// Others' are collected for a new slab of those from so many on: fewer will soon serve their own.
constexpr unsigned kManyWaiting = 32;

// ---- new slabs ---------------------------------------------------------------------------------
// A class that grew before will use what it gets: its pages come by one call instead of 16 faults.
// Of larger objects a program may never touch all.
void populate_where_growing(const Span& span, const Bin& bin) {
  const std::uint64_t from = config::populate_from();
  if (from == 0 || bin.slabs < from || !span.zero) return;
  os::advise(memory_of(span.head), span.head->regions * kRegionBytes, os::Advice::populate);
}

// Slabs grow with their bin: many heaps that hold few objects each, of many classes, would keep
// much for them. But short ones are often empty: page faults, where memory goes back at once.
unsigned next_length(const Bin& bin, const SizeClass& k) {
  if (config::purge_delay() == 0) return k.regions;
  const unsigned most = bin.regions / 4 + 1;
  if (k.is_long()) return k.regions_of(std::clamp<unsigned>(k.capacity_of(most), 1, k.capacity));
  return std::min<unsigned>(k.regions, std::bit_floor(most));
}

// Takes one slab's span, from what was taken ahead or from the arena.
Descriptor* take_span(Heap* heap, const Bin& bin, const SizeClass& k) {
  const unsigned regions = next_length(bin, k);
  if (k.is_long()) {  // few of a length: taken ahead they would not be used
    Descriptor* span = span_allocate(regions).head;
    return span != nullptr ? span : span_allocate(k.regions_of(1)).head;
  }
  Descriptor*& segment = heap->segments[lowest_bit(regions)];
  if (segment == nullptr) {
    const std::size_t ahead = config::segment_slabs() > 1 ? config::segment_slabs() : 1;
    Span span{};
    for (const std::size_t length : {regions * ahead, std::size_t{regions}, std::size_t{1}}) {
      if (span.head == nullptr) span = span_allocate(length);
    }
    if (span.head == nullptr) return nullptr;
    if (k.size <= kMaxTiny) populate_where_growing(span, bin);
    segment = span.head;
  }
  Descriptor* span = segment;
  segment = span->regions > regions ? span_split(span, regions) : nullptr;
  return span;
}

Descriptor* new_slab(Heap* heap, Bin& bin, const SizeClass& k) {
  Descriptor* span = take_span(heap, bin, k);
  if (span == nullptr) return nullptr;
  if (!slab_create(span, k, heap->id, bin.colour++)) {
    span_free(span);
    return nullptr;
  }
  bin.add(span);
  return span;
}

// Takes up to `count` objects out of one slab, downwards from `end`.
unsigned take_from(Bin& bin, Descriptor* slab, void** end, unsigned count) {
  bin.unshelve(slab);
  const unsigned used_before = slab_take(slab, end, count);
  // While there are used ones the others' pages stay untouched.
  const unsigned never_used = used_before != 0 ? 0 : slab_carve(slab, end, count);
  bin.shelve(slab, Bin::level_of(slab));
  bin.counters.refills += used_before != 0 ? 1 : 0;
  bin.counters.refilled += used_before;
  bin.counters.carves += never_used != 0 ? 1 : 0;
  bin.counters.carved += never_used;
  return used_before + never_used;
}

// The same out of any slab: at the limit the fullest may have only objects whose pages are gone.
HAK_COLD unsigned take_from_any(Bin& bin, void** end, unsigned count) {
  for (unsigned level = 0; level <= Bin::kEmptyLevel; ++level) {
    for (Descriptor* slab = bin.levels[level]; slab != nullptr;) {
      Descriptor* next = slab->slab.next;
      if (const unsigned some = take_from(bin, slab, end, count); some != 0) return some;
      slab = next;
    }
  }
  return 0;
}

// What others freed is collected when it is needed, for then more of it has gathered; or in time.
void look_around_if_due(Heap* heap) {
  const std::uint32_t visits = heap->visits.load(std::memory_order_relaxed);
  if (visits - heap->looked_at < kVisitsPerLook) return;
  heap->looked_at = visits;
  heap_drain_forgotten(heap);
  // Others' lines are touched once a tick of the clock, or as long as there is work.
  const std::uint32_t now = heap->visited_at.load(std::memory_order_relaxed);
  if (now != heap->helped_at && !help_another()) heap->helped_at = now;
}

void free_segments(Heap* heap) {
  for (Descriptor*& segment : heap->segments) {
    if (segment != nullptr) span_free(segment);
    segment = nullptr;
  }
}

// Parked heaps keep theirs until the hand comes (holes.hpp): taken for other classes all of their
// pages would come to be touched, as those of larger objects are already. A shared heap needs one.
bool has_enough(const Heap* heap, const Bin& bin, const SizeClass& k) {
  if (k.size > kAlwaysKept && bin.slabs < kManySlabs && !bin.wanted) return true;
  const bool needs_one = bin.wanted || is_shared(heap->id);
  return bin.empty >= std::max<std::uint64_t>(config::empty_slabs(), needs_one ? 1 : 0);
}

void note_visit(Heap* heap) {
  // Only the owner writes: no atomic addition.
  const std::uint32_t visits = heap->visits.load(std::memory_order_relaxed);
  heap->visits.store(visits + 1, std::memory_order_relaxed);
  if (visits % kVisitsPerLook != 0) return;
  heap->visited_at.store(static_cast<std::uint32_t>(os::coarse_milliseconds()),
                         std::memory_order_relaxed);
}

}  // namespace

void heap_free_slab(Heap* heap, Descriptor* slab) {
  heap->bins[class_of_slot(slab->slot)].remove(slab);
  slab_destroy(slab);
  config::delay_point();
  span_free(slab);
}

void heap_reshelve(Heap* heap, Descriptor* slab) {
  const unsigned level = Bin::level_of(slab);
  Bin& bin = heap->bins[class_of_slot(slab->slot)];
  const bool empty = level == Bin::kEmptyLevel;
  if (empty && has_enough(heap, bin, class_of(slab))) return heap_free_slab(heap, slab);
  bin.unshelve(slab);
  bin.shelve(slab, level);
}

void trim_inside(Heap* heap) {
  heap_drain_any(heap, kDrainAll);
  for (const Bin& bin : heap->bins) {
    while (Descriptor* slab = bin.levels[Bin::kEmptyLevel]) heap_free_slab(heap, slab);
  }
  free_segments(heap);
}

unsigned refill_inside(Heap* heap, const SizeClass& k, void** end, unsigned count) {
  look_around_if_due(heap);
  const unsigned c = class_of_slot(k.slot);
  Bin& bin = heap->bins[c];
  unsigned done = 0;
  while (done < count) {
    Descriptor* slab = bin.fullest();
    if (done != 0 && (slab == nullptr || slab->slab.free == 0)) break;
    bin.wanted = slab == nullptr;
    for (unsigned drained = 0; slab == nullptr && drained < kDrainNeeded; ++drained) {
      // Not where much is left of the list: all that waits there would not be used for long.
      if (heap->taken[c] == nullptr) heap->served |= std::uint64_t{1} << c;
      if (heap_drain(heap, c, 1) == 0) break;
      slab = bin.fullest();
    }
    bin.wanted = false;
    if (slab == nullptr) slab = heap_adopt(heap, c);
    if (slab == nullptr && (k.size <= kAlwaysKept || waiting_slabs(heap) >= kManyWaiting)) {
      heap_drain_any(heap, kDrainBeforeGrowth);  // others' may come to be empty
      slab = bin.fullest();
    }
    if (slab == nullptr) slab = new_slab(heap, bin, k);
    if (slab == nullptr) {
      // Out of memory: everything that waits must be looked at before that is true.
      trim_inside(heap);
      slab = bin.fullest();
      if (slab == nullptr) slab = new_slab(heap, bin, k);
    }
    if (slab == nullptr) break;
    unsigned some = take_from(bin, slab, end - done, count - done);
    if (HAK_UNLIKELY(some == 0)) some = take_from_any(bin, end - done, count - done);
    if (HAK_UNLIKELY(some == 0 && done == 0)) {  // a new slab may need less than the pages of those
      slab = new_slab(heap, bin, k);
      if (slab != nullptr) some = take_from(bin, slab, end, count);
    }
    if (some == 0) break;
    done += some;
  }
  return done;
}

unsigned heap_refill(Heap* heap, const SizeClass& k, void** end, unsigned count) {
  note_visit(heap);
  const os::Locked inside(heap->door);
  return refill_inside(heap, k, end, count);
}

void heap_return(Heap* heap, void* const* objects, unsigned count, Outbox& outbox) {
  note_visit(heap);
  const os::Locked inside(heap->door);
  const RegionId tag = tag_of_owner(heap->id);
  for (unsigned done = 0; done < count;) {
    void* const* rest = objects + done;
    // Read anew, under the door: the slab may have been adopted since the object was cached.
    const RegionId id = region_id_anywhere(*rest);
    const bool is_ours = (id ^ tag) < kSlots;
    if (HAK_UNLIKELY(!is_ours) && outbox_add(outbox, *rest, id)) memory_tick();
    if (done == 0) ++heap->bins[class_of_slot(slot_of(id))].counters.flushes;
    done += is_ours ? return_run_inside(heap, slab_of(*rest, id), rest, count - done) : 1;
  }
  note_returned();
}

void heaps_trim_idle() {
  // Twice: a heap may pass on what belongs to one that was visited before it.
  for (int pass = 0; pass < 2; ++pass) {
    for_each_heap([](Heap* heap) {
      if (!heap->door.try_lock()) return;  // somebody is at work there
      trim_inside(heap);
      leave(heap);
    });
  }
}

void heap_park(Heap* heap, void* kept, bool idles) {
  heap->door.lock();
  heap_drain_any(heap, kDrainAll);
  if (idles) trim_inside(heap);
  if (kept == nullptr) free_segments(heap);
  heap->kept.store(kept, std::memory_order_relaxed);  // the registry's lock orders it
  registry_park(heap);
}

}  // namespace hakmem
