#include "hakmem/large/large.hpp"

#include "hakmem/arena/spans.hpp"
#include "hakmem/base/fatal.hpp"
#include "hakmem/heap/holes.hpp"
#include "hakmem/heap/registry.hpp"

namespace hakmem {
namespace {

// Starts of large objects differ by a cache line, within the first page, so that arrays that are
// used in parallel do not meet in the same sets of the cache. Objects whose span has no room for
// that start at its beginning.
constexpr std::size_t kStarts = 4096 / kCacheLine;
constexpr std::size_t kMostStart = (kStarts - 1) * kCacheLine;

// Freeing spans looks for what waited too long; slabs are looked at now and then.
constexpr unsigned kVisitsPerTick = 16;

std::size_t regions_for(std::size_t bytes) { return (bytes + kRegionBytes - 1) >> kRegionShift; }

bool has_room_for_start(std::size_t size) {
  return (regions_for(size) << kRegionShift) - size >= kMostStart;
}

std::size_t next_start() {
  static constinit std::atomic<std::size_t> turn{0};  // order does not matter: relaxed
  return turn.fetch_add(1, std::memory_order_relaxed) % kStarts * kCacheLine;
}

Descriptor* head_checked(const void* p) {
  const Arena* arena = arena_of(p);
  const std::size_t region = (address_of(p) - address_of(arena->base)) >> kRegionShift;
  Descriptor* head = arena->descriptor(region);
  if (HAK_UNLIKELY(memory_of(head) + head->start != p)) {
    fatal_pointer("invalid pointer, into the middle of a large object:", p, head->large.bytes);
  }
  return head;
}

void become_large(Descriptor* head) {
  // Whatever the start is, what may be used is the same: large_good_size knows it beforehand.
  const std::size_t reserved = head->large.moved_start ? kMostStart : 0;
  head->large.bytes = (std::size_t{head->regions} << kRegionShift) - reserved;
  tiny_region_id_write_header(head, kRegionLarge, kRegionInterior);
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

bool resize(Descriptor* head, std::size_t size) {
  const std::size_t regions = regions_for(size + (head->large.moved_start ? kMostStart : 0));
  if (regions > head->regions) {
    if (!span_grow(head, regions)) return false;
  } else if (regions < head->regions) {
    Descriptor* tail = span_split(head, regions);
    tiny_region_id_write_header(tail, kRegionUnused, kRegionUnused);
    span_free(tail);
  }
  become_large(head);
  return true;
}

}  // namespace

LargeObject large_allocate(std::size_t size, std::size_t alignment, Heap* heap) {
  if (size > kMaxObjectBytes) return {nullptr, false};
  // A program that lives on large objects alone should see what waits in heaps, too.
  help_another();
  // A lost count does no harm: relaxed, and no atomic addition.
  static constinit std::atomic<unsigned> visits{0};
  const unsigned visit = visits.load(std::memory_order_relaxed) + 1;
  visits.store(visit, std::memory_order_relaxed);
  if (visit % kVisitsPerTick == 0) memory_tick();
  const std::size_t regions = regions_for(size == 0 ? 1 : size);
  const Span span = span_allocate(regions, regions_for(alignment));
  if (span.head == nullptr) return {nullptr, false};
  span.head->large.moved_start = alignment <= kCacheLine && has_room_for_start(size);
  span.head->start = span.head->large.moved_start ? static_cast<std::uint32_t>(next_start()) : 0;
  span.head->large.heap = 0;
  become_large(span.head);
  if (heap != nullptr) enlist(heap, span.head);
  return {memory_of(span.head) + span.head->start, span.zero};
}

void large_free(void* p) {
  Descriptor* head = head_checked(p);
  if (HAK_UNLIKELY(head->large.heap != 0)) delist(head);
  tiny_region_id_write_header(head, kRegionUnused, kRegionUnused);
  span_free(head);
}

void large_free_all(Heap* heap) {
  while (Descriptor* head = heap->large) large_free(memory_of(head) + head->start);
}

std::size_t large_usable(const void* p) { return head_checked(p)->large.bytes; }

bool large_resize(void* p, std::size_t size) {
  Descriptor* head = head_checked(p);
  if (size > kMaxObjectBytes) return false;
  if (head->large.heap == 0) return resize(head, size);
  const os::Locked inside(heap_by_id(head->large.heap)->door);
  return resize(head, size);
}

std::size_t large_good_size(std::size_t size) {
  return (regions_for(size) << kRegionShift) - (has_room_for_start(size) ? kMostStart : 0);
}

}  // namespace hakmem
