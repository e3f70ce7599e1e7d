#include "hakmem/api/entry.hpp"

#include <string.h>

#include <algorithm>

#include "hakmem/api/foreign.hpp"
#include "hakmem/api/slow_door.hpp"
#include "hakmem/arena/spans.hpp"
#include "hakmem/base/fatal.hpp"
#include "hakmem/front/thread.hpp"
#include "hakmem/heap/holes.hpp"
#include "hakmem/large/large.hpp"

namespace hakmem {
namespace {

// Shrinking within this many bytes never moves an object: nothing would be saved.
constexpr std::size_t kAlwaysInPlace = 64;

// Spans give back what they can spare where they stand; what must move does so for a smaller class.
bool worth_keeping(RegionId id, std::size_t size, std::size_t usable) {
  const std::size_t spare = usable / (usable <= kMaxShort ? 2 : id == kRegionLarge ? 8 : 3);
  return size <= usable && (size >= usable - spare || usable <= kAlwaysInPlace);
}

void* or_out_of_memory(void* p) { return HAK_LIKELY(p != nullptr) ? p : fail_with(ENOMEM); }

// Usable bytes of an object; 0: it is not ours. Ends the program when `p` is not the start of one.
HAK_INLINE std::size_t usable_of(const void* p, RegionId id) {
  if (HAK_LIKELY(owner_of(id) != 0)) {
    const Descriptor* slab = slab_of(p, id);
    slab_index_checked(slab, p);
    return class_of(slab).size;
  }
  if (id == kRegionLarge) return large_usable(p);
  if (id == kRegionUnused && arena_of(p) == nullptr) return 0;
  fatal_pointer("invalid pointer, not the start of a live object:", p);
}

// A large object is resized where it stands, if that can be done.
bool stays(void* p, RegionId id, std::size_t size, std::size_t usable) {
  if (worth_keeping(id, size, usable)) return true;
  return id == kRegionLarge && size > kMaxShort && large_resize(p, size);
}

// Above it calloc takes a span, which may hold nothing but zero.
constexpr std::size_t kMaxCleared = 32768;

HAK_INLINE void* zeroed(std::size_t count, std::size_t size, Heap* heap) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) return fail_with(ENOMEM);
  if (bytes <= kMaxCleared) {
    void* p = entry_malloc(bytes, heap);
    return p != nullptr ? memset(p, 0, bytes) : nullptr;
  }
  const LargeObject object = allocate_of_span(bytes, kMinAlignment, heap);
  if (object.p == nullptr) return fail_with(ENOMEM);
  if (!object.zero) large_clear(object.p, bytes);
  return object.p;
}

}  // namespace

void* malloc_shared(Heap* heap, std::size_t size) {
  return or_out_of_memory(allocate_shared(heap, size, kMinAlignment));
}

void* entry_calloc(std::size_t count, std::size_t size) { return zeroed(count, size, nullptr); }

void* calloc_shared(Heap* h, std::size_t count, std::size_t size) { return zeroed(count, size, h); }

void* reallocate(void* p, std::size_t size, Heap* heap) {
  const RegionId id = region_id_anywhere(p);
  const std::size_t usable = usable_of(p, id);
  if (HAK_UNLIKELY(usable == 0)) return foreign_realloc(p, size);
  if (stays(p, id, size, usable)) return p;
  if (id == kRegionLarge && size > usable) {
    if (void* moved = large_move(p, size, heap); moved != nullptr) return moved;
  }
  // What grows may go on growing: a span can where it stands.
  const bool wants_span = size > usable && size > kMaxShort;
  void* moved = wants_span ? allocate_of_span(size, kMinAlignment, heap).p : nullptr;
  if (moved == nullptr) moved = entry_malloc(size, heap);
  if (moved == nullptr) return size <= usable ? p : nullptr;  // shrinking cannot fail
  memcpy(moved, p, std::min(size, usable));
  const bool large_grew = id == kRegionLarge && size > usable;
  large_grew ? large_free_moved(p) : deallocate(p);
  return moved;
}

void* aligned_no_errno(std::size_t alignment, std::size_t size) {
  if (alignment > kMaxAlignment) return nullptr;
  if (const unsigned c = class_of_aligned(size, alignment); c < kClasses) {
    return allocate_of_class(c);
  }
  return allocate_of_span(size, alignment).p;
}

void* entry_aligned(std::size_t alignment, std::size_t size) {
  return or_out_of_memory(aligned_no_errno(alignment, size));
}

void* aligned_checked(std::size_t alignment, std::size_t size, Heap* heap) {
  if (!is_power_of_two(alignment) || alignment > kMaxAlignment) return fail_with(EINVAL);
  if (heap == nullptr) return entry_aligned(alignment, size);
  return or_out_of_memory(allocate_shared(heap, size, alignment));
}

std::size_t entry_usable_size(const void* p) {
  if (p == nullptr) return 0;
  const std::size_t usable = usable_of(p, region_id_anywhere(p));
  return usable != 0 ? usable : foreign_usable_size(const_cast<void*>(p));
}

std::size_t entry_good_size(std::size_t size) {
  if (size > kMaxObjectBytes) return 0;
  return size <= kMaxSmall ? kSizeClasses[class_of_size(size)].size : large_good_size(size);
}

std::size_t entry_collect(bool force) {
  if (!thread_ready()) return 0;
  cache_flush_all();
  parked_caches_release();
  heaps_trim_idle();
  if (!force) {
    memory_tick();
    return 0;
  }
  shelves_clear();
  const std::size_t holes = holes_punch_all();
  return holes + spans_purge_all();
}

}  // namespace hakmem
