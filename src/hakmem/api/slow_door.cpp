// The slow door: malloc and free when the cache cannot serve. It alone leads to all else.

#include "hakmem/api/slow_door.hpp"
#include "hakmem/api/entry.hpp"
#include "hakmem/api/foreign.hpp"
#include "hakmem/api/janitor.hpp"
#include "hakmem/base/fatal.hpp"
#include "hakmem/front/thread.hpp"
#include "hakmem/heap/holes.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/heap/shared.hpp"
#include "hakmem/large/large.hpp"

namespace hakmem {
namespace {

// For a thread that has no cache (its memory could not be had) or no longer one (it is ending).
void* borrow_object(unsigned c) {
  std::uint16_t turn = 0;
  if (void* p = starter_allocate(turn, c); HAK_LIKELY(p != nullptr)) return p;
  // No memory for a starter heap: any heap will do, its door guards it.
  if (heap_count() == 0) return nullptr;
  void* p = shared_allocate(heap_by_id(1), c);
  help_waiting(heap_by_id(1));  // it may be parked, and then its door is not left without a look
  return p;
}

HAK_INLINE void free_of_slab(void* p, RegionId id) {
  if (HAK_UNLIKELY(is_shared(owner_of(id)))) return shared_free(p, id);
  // A thread that only frees is worth a cache too: its frees go home in batches.
  if (HAK_UNLIKELY(cache.thread == nullptr) && !thread_ready()) return remote_free(p, id);
  const std::uint32_t slot = id ^ cache.tag;
  if (HAK_LIKELY(slot >= kSlots)) {
    if (HAK_UNLIKELY(outbox_add(cache.thread->outbox, p, id))) cache_tick();
  } else if (!unified_cache_push(slot, p) && !cache_put_below_wire(slot, p)) {
    cache_overflow(slot, p);
  }
}

// Whatever is no object of a slab in the first arena.
HAK_NOINLINE void free_other(void* p) {
  if (p == nullptr) return;
  const RegionId id = region_id_anywhere(p);
  if (owner_of(id) != 0) return free_of_slab(p, id);
  if (id == kRegionLarge) return large_free(p);
  if (id == kRegionInterior)
    fatal_pointer("invalid pointer, into the middle of a large object:", p);
  if (id == kRegionFreed) fatal_pointer("double free of a large object:", p);
  if (arena_of(p) != nullptr) {
    fatal_pointer("invalid pointer or double free, into memory that is free:", p);
  }
  foreign_free(p);
}

void* object_of_class(unsigned c) {
  if (!thread_ready()) return borrow_object(c);
  if (HAK_UNLIKELY(janitor_is_missing())) janitor_start();
  const unsigned slot = slot_of_class(c);
  void* p = unified_cache_pop(slot);
  return p != nullptr ? p : cache_refill(slot);
}

// Before there is no memory: what the thread's cache holds, and what waits in idle heaps.
HAK_COLD void gather_everything() {
  if (cache.phase == Cache::Phase::attached) cache_flush_all();
  shelves_clear();
  parked_caches_release();
  heaps_trim_idle();
  holes_punch_all();
}

LargeObject object_of_span(std::size_t size, std::size_t alignment, Heap* heap) {
  static_cast<void>(thread_ready());  // the first arena; a span needs no cache
  return large_allocate(size, alignment, heap);
}

}  // namespace

void* allocate_of_class(unsigned c) {
  if (void* p = object_of_class(c); HAK_LIKELY(p != nullptr)) return p;
  gather_everything();
  return object_of_class(c);
}

LargeObject allocate_of_span(std::size_t size, std::size_t alignment, Heap* heap) {
  const LargeObject object = object_of_span(size, alignment, heap);
  if (HAK_LIKELY(object.p != nullptr) || size > kMaxObjectBytes) return object;
  gather_everything();
  return object_of_span(size, alignment, heap);
}

void* allocate_shared(Heap* heap, std::size_t size, std::size_t alignment) {
  const unsigned c = class_of_aligned(size, alignment);
  if (c == kClasses) return allocate_of_span(size, alignment, heap).p;
  void* p = shared_allocate(heap, c);
  if (HAK_LIKELY(p != nullptr)) return p;
  gather_everything();
  return shared_allocate(heap, c);
}

HAK_NOINLINE void* malloc_slow(std::size_t size) {
  if (HAK_LIKELY(size <= kMaxSmall)) return allocate_of_class(class_of_size(size));
  return allocate_of_span(size, kMinAlignment).p;
}

HAK_NOINLINE void free_slow(void* p, std::size_t relative) {
  if (relative < kSlots) {  // this thread's, and no room: first, as bursts of frees come by here
    const auto slot = static_cast<unsigned>(relative);
    if (!cache_put_below_wire(slot, p)) cache_overflow(slot, p);
    return;
  }
  const RegionId id = static_cast<RegionId>(relative) ^ cache.tag;
  if (HAK_LIKELY(owner_of(id) != 0)) return free_of_slab(p, id);
  if (id == kRegionLarge) {
    static_cast<void>(thread_ready());  // a thread that only frees is worth a shelf, too
    return large_free(p);
  }
  free_other(p);
}

HAK_COLD void* malloc_slow_errno(std::size_t size) {
  void* p = malloc_slow(size);
  return p != nullptr ? p : fail_with(ENOMEM);
}

}  // namespace hakmem
