#include "hakmem/heap/shared.hpp"

#include "hakmem/heap/holes.hpp"
#include "hakmem/heap/outbox.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/slab/remote.hpp"

namespace hakmem {
namespace {

constexpr unsigned kStarters = 4;
constinit std::atomic<Heap*> starters[kStarters]{};

// Made when first needed. Null: no memory.
Heap* starter(unsigned i) {
  // Acquire and release: who finds the heap sees it whole.
  Heap* heap = starters[i].load(std::memory_order_acquire);
  if (HAK_LIKELY(heap != nullptr)) return heap;
  Heap* made = shared_heap_open();
  if (made == nullptr) return nullptr;
  if (starters[i].compare_exchange_strong(heap, made, std::memory_order_acq_rel)) return made;
  shared_heap_close(made);  // another thread was first
  return heap;
}

void* take_one(Heap* heap, unsigned c) {
  void* object[1];
  return refill_inside(heap, kSizeClasses[c], object + 1, 1) == 1 ? object[0] : nullptr;
}

void release_slabs(Heap* heap, Bin& bin) {
  for (Descriptor*& first : bin.levels) {
    while (Descriptor* slab = first) {
      // All words: a freer of a slab that was here before may hold up the summary.
      remote_collect(slab, ~std::uint64_t{0});
      heap_free_slab(heap, slab);
    }
  }
  if (bin.counters.carves != 0) bin.counters = {};
}

}  // namespace

void shared_heap_close(Heap* heap) {
  heap->door.lock();
  // What was freed remotely comes home first: the slabs' remote words must be 0 when they go.
  trim_inside(heap);
  for (Bin& bin : heap->bins) release_slabs(heap, bin);
  registry_park(heap);
}

void* shared_allocate(Heap* heap, unsigned c) {
  memory_tick();
  const os::Locked inside(heap->door);
  return take_one(heap, c);
}

void shared_free(void* p, RegionId id) {
  Heap* heap = heap_by_id(owner_of(id));
  if (heap->door.try_lock()) {
    Descriptor* slab = slab_of(p, id);
    ++heap->bins[class_of_slot(slab->slot)].counters.flushes;
    return_run_inside(heap, slab, &p, 1);
    note_returned();
    heap->door.unlock();
  } else {
    remote_free(p, id);  // whoever is inside need not be waited for
  }
}

void* starter_allocate(std::uint16_t& turn, unsigned c) {
  c = starter_class(c);
  for (unsigned i = 0; i < kStarters; ++i, ++turn) {
    Heap* heap = starter(turn % kStarters);
    if (heap == nullptr) break;
    if (!heap->door.try_lock()) continue;
    void* p = take_one(heap, c);
    heap->door.unlock();
    return p;
  }
  // All are busy, or there is no memory for one more: any will do in its turn (acquire: whole).
  Heap* heap = starters[turn % kStarters].load(std::memory_order_acquire);
  if (heap == nullptr) heap = starters[0].load(std::memory_order_acquire);
  return heap != nullptr ? shared_allocate(heap, c) : nullptr;
}

}  // namespace hakmem
