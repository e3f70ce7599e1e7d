#include "hakmem/large/large.hpp"

#include <algorithm>

#include "hakmem/arena/spans.hpp"
#include "hakmem/base/fatal.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/front/magazine.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/os/memory.hpp"
#include "hakmem/os/system.hpp"

namespace hakmem {
namespace {

// Starts of large objects differ by a cache line, within the first page, so that arrays used in
// parallel do not meet in the same sets of the cache. Without room for that they start at 0.
constexpr std::size_t kStarts = 4096 / kCacheLine;
constexpr std::size_t kMostStart = (kStarts - 1) * kCacheLine;

// Up to here it may pay to copy what grows: into resident memory (copying costs a sixth of the page
// faults), or to where there is room, as such memory is kept for a while when it is freed.
constexpr std::size_t kMostCopied = (std::size_t{16} << 20) >> kRegionShift;
constexpr std::size_t kRoom = (std::size_t{64} << 20) >> kRegionShift;

// From here on calloc gives back what is dirty and mostly not resident; it clears all else.
constexpr std::size_t kLeastPurged = std::size_t{1} << 20;

std::size_t regions_for(std::size_t bytes) { return (bytes + kRegionBytes - 1) >> kRegionShift; }

bool leaves_room(std::size_t n) { return (regions_for(n) << kRegionShift) - n >= kMostStart; }

std::size_t next_start() {
  // A lost step does no harm: relaxed, and no atomic addition.
  static constinit std::atomic<std::size_t> turn{0};
  const std::size_t mine = turn.load(std::memory_order_relaxed);
  turn.store(mine + 1, std::memory_order_relaxed);
  return mine % kStarts * kCacheLine;
}

bool is_apart(const Descriptor* head) { return head->large.apart != nullptr; }

char* start_of(const Descriptor* head) {
  return (is_apart(head) ? head->large.apart : memory_of(head)) + head->start;
}

Descriptor* head_checked(const void* p) {
  const Arena* arena = arena_of(p);
  if (HAK_UNLIKELY(arena == nullptr)) {
    Descriptor* apart = apart_find(p);
    if (apart == nullptr) fatal_pointer("double free of a large object:", p);
    return apart;
  }
  const std::size_t region = (address_of(p) - address_of(arena->base)) >> kRegionShift;
  Descriptor* head = arena->descriptor(region);
  if (HAK_UNLIKELY(memory_of(head) + head->start != p)) {
    fatal_pointer("invalid pointer, into the middle of a large object:", p, head->large.bytes);
  }
  return head;
}

std::size_t start_reserve(const Descriptor* d) { return d->large.moved_start ? kMostStart : 0; }

// Whatever the start is, what may be used is the same: large_good_size knows it beforehand.
void set_usable(Descriptor* head) {
  const std::size_t before = head->large.bytes;
  head->large.bytes = (std::size_t{head->regions} << kRegionShift) - start_reserve(head);
  if (head->large.bytes != before) count_large(head->large.bytes - before);
}

void enlist(Heap* heap, Descriptor* head) {
  const os::Locked inside(heap->door);
  head->large.heap = heap->id;
  head->large.prev = nullptr;
  head->large.next = heap->large;
  if (heap->large != nullptr) heap->large->large.prev = head;
  heap->large = head;
}

void delist(Descriptor* head) {
  Heap* heap = heap_by_id(head->large.heap);
  const os::Locked inside(heap->door);
  Descriptor* next = head->large.next;
  Descriptor* prev = head->large.prev;
  if (next != nullptr) next->large.prev = prev;
  (prev != nullptr ? prev->large.next : heap->large) = next;
}

// A span that was a large object's keeps the start it had, if it may.
void choose_start(Descriptor* head, std::size_t size, std::size_t alignment) {
  const bool moves = alignment <= kCacheLine && leaves_room(size);
  if (!moves) head->start = 0;
  if (moves && !head->large.moved_start) head->start = static_cast<std::uint32_t>(next_start());
  head->large.moved_start = moves;
}

Descriptor* become_large(Descriptor* head, std::size_t size, std::size_t alignment, Heap* heap) {
  head->large = LargeState{};
  choose_start(head, size, alignment);
  set_usable(head);
  tiny_region_id_write_header(head, kRegionLarge, kRegionInterior);
  if (heap != nullptr) enlist(heap, head);
  return head;
}

bool resize(Descriptor* head, std::size_t size) {
  const std::size_t regions = regions_for(size + start_reserve(head));
  if (regions > head->regions) {
    const std::size_t before = head->regions;
    if (is_apart(head) || !span_grow(head, regions)) return false;
    Arena& arena = arena_of(head);
    for (std::size_t i = before; i < regions; ++i) {
      arena.id(region_of(head) + i).store(kRegionInterior, std::memory_order_relaxed);
    }
  } else if (is_apart(head)) {
    if (regions < kLeastApart) return false;
    if (regions < head->regions) apart_shrink(head, regions);
  } else if (regions < head->regions) {
    Descriptor* tail = span_split(head, regions);
    tiny_region_id_write_header(tail, kRegionUnused, kRegionUnused);
    span_free(tail);
  }
  set_usable(head);
  return true;
}

// Gives the span back whose object has moved.
void release_span(Descriptor* head, bool zero) {
  if (HAK_UNLIKELY(head->large.heap != 0)) delist(head);
  large_span_free(head, zero);
}

void release(Descriptor* head) {
  if (!is_apart(head)) return release_span(head, false);
  if (head->large.heap != 0) delist(head);
  count_large(0 - head->large.bytes);
  apart_close(head);
}

// Room costs address space, and is charged for where the system overcommits nothing.
std::size_t room_for(std::size_t regions) {
  const bool scarce = config::profile() == config::Profile::lean ||
                      known_limit.load(std::memory_order_relaxed) != SIZE_MAX ||
                      os::strict_overcommit();
  return scarce || regions > kRoom / 2 ? 0 : kRoom;
}

// Copies to another span. Not again before the object has grown by a quarter, so that growing by
// small steps copies no more than a few times what there is in the end.
void* move_by_copy(Descriptor* head, std::size_t size, Heap* heap) {
  const std::size_t regions = regions_for(size);
  if (head->regions > kMostCopied || regions < head->large.copied_at + head->large.copied_at / 4) {
    return nullptr;
  }
  Descriptor* moved = span_allocate_growing(regions, room_for(regions)).head;
  if (moved == nullptr) return nullptr;
  become_large(moved, size, kMinAlignment, heap);
  moved->large.copied_at = static_cast<std::uint32_t>(regions);
  __builtin_memcpy(start_of(moved), start_of(head), std::min(size, head->large.bytes));
  release_span(head, false);
  return start_of(moved);
}

void* move_apart(Descriptor* head, std::size_t size, Heap* heap) {
  if (config::limit() != 0) return nullptr;  // it is over what lies in arenas
  const Apart apart = apart_open(head, regions_for(size + start_reserve(head)));
  if (apart.head == nullptr) return nullptr;
  apart.head->large.moved_start = head->large.moved_start;
  apart.head->large.heap = 0;
  apart.head->large.bytes = 0;
  set_usable(apart.head);
  if (heap != nullptr) enlist(heap, apart.head);
  release_span(head, apart.moved);
  return start_of(apart.head);
}

// What is mapped apart grows where it is or moves, and stays the same object.
void* grow_apart(Descriptor* head, std::size_t size, Heap* heap) {
  Heap* home = head->large.heap != 0 ? heap_by_id(head->large.heap) : nullptr;
  if (home != nullptr) delist(head);
  const bool grown = apart_grow(head, regions_for(size + start_reserve(head)));
  set_usable(head);
  head->large.heap = 0;
  if (grown) home = heap;
  if (home != nullptr) enlist(home, head);
  return grown ? start_of(head) : nullptr;
}

}  // namespace

LargeObject large_allocate(std::size_t size, std::size_t alignment, Heap* heap) {
  if (size > kMaxObjectBytes) return {nullptr, false};
  const std::size_t regions = regions_for(size == 0 ? 1 : size);
  if (ThreadState* t = cache.thread; HAK_LIKELY(t != nullptr)) {
    shelf_visit(t->shelf);
    const bool fits = heap == nullptr && alignment <= kRegionBytes;
    if (Descriptor* head = fits ? shelf_take(t->shelf, regions) : nullptr) {
      choose_start(head, size, alignment);
      set_usable(head);
      return {start_of(head), false};
    }
  }
  const Span span = span_allocate(regions, regions_for(alignment));
  if (span.head == nullptr) return {nullptr, false};
  return {start_of(become_large(span.head, size, alignment, heap)), span.zero};
}

void large_clear(void* p, std::size_t bytes) {
  const Descriptor* head = head_checked(p);
  const std::size_t span = std::size_t{head->regions} << kRegionShift;
  char* memory = memory_of(head);
  if (bytes < kLeastPurged || os::mostly_resident(memory, span) || !os::purge(memory, span)) {
    __builtin_memset(p, 0, bytes);
  }
}

void large_free(void* p) {
  Descriptor* head = head_checked(p);
  if (ThreadState* t = cache.thread; HAK_LIKELY(t != nullptr)) {
    shelf_visit(t->shelf);
    if (!is_apart(head) && head->large.heap == 0 && shelf_put(t->shelf, head)) return;
  }
  release(head);
}

void large_free_moved(void* p) { release(head_checked(p)); }

void large_free_all(Heap* heap) {
  while (Descriptor* head = heap->large) large_free(start_of(head));
}

std::size_t large_usable(const void* p) { return head_checked(p)->large.bytes; }

bool large_resize(void* p, std::size_t size) {
  Descriptor* head = head_checked(p);
  if (size > kMaxObjectBytes) return false;
  if (head->large.heap == 0) return resize(head, size);
  const os::Locked inside(heap_by_id(head->large.heap)->door);
  return resize(head, size);
}

void* large_move(void* p, std::size_t size, Heap* heap) {
  Descriptor* head = head_checked(p);
  if (size > kMaxObjectBytes) return nullptr;
  if (is_apart(head)) return grow_apart(head, size, heap);
  if (head->regions < kLeastApart) return nullptr;
  void* moved = move_by_copy(head, size, heap);
  return moved != nullptr ? moved : move_apart(head, size, heap);
}

std::size_t large_good_size(std::size_t size) {
  return (regions_for(size) << kRegionShift) - (leaves_room(size) ? kMostStart : 0);
}

}  // namespace hakmem
