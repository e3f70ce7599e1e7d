#include "hakmem/arena/free_spans.hpp"

#include <algorithm>

namespace hakmem {

constinit SpanTree dirty_spans;
constinit SpanTree clean_spans;
constinit SpanTree reserved_spans;
constinit AgeQueue waiting;
constinit std::size_t free_regions = 0;
constinit std::atomic<std::size_t> dirty_regions{0};

namespace {

void add_dirty(std::size_t regions) {
  dirty_regions.store(dirty_regions.load(std::memory_order_relaxed) + regions,
                      std::memory_order_relaxed);
}

Descriptor* last_of(Descriptor* head) { return head + (head->regions - 1); }

SpanTree& tree_of(const Descriptor* head) {
  return head->dirty ? dirty_spans : head->reserved ? reserved_spans : clean_spans;
}

void make_busy(Descriptor* head) {
  tree_of(head).remove(head);
  free_regions -= head->regions;
  if (head->dirty) {
    if (head->free.since != kNever) waiting.remove(head);
    add_dirty(0 - std::size_t{head->regions});
  }
  head->is_free = last_of(head)->is_free = false;
}

// The free span that ends just before `head`, or null.
Descriptor* free_before(Descriptor* head) {
  if (region_of(head) == 0) return nullptr;
  Descriptor* last = head - 1;
  return last->is_free ? last - (last->regions - 1) : nullptr;
}

// The free span that starts just after `head`, or null.
Descriptor* free_after(const Arena& arena, Descriptor* head) {
  if (region_of(head) + head->regions >= arena.frontier) return nullptr;
  Descriptor* next = head + head->regions;
  return next->is_free ? next : nullptr;
}

bool may_merge(const Descriptor* span, bool dirty) {
  return span != nullptr && span->dirty == dirty && !span->reserved;
}

// The age of a merged span is that of its larger part. The earlier of the two would do for a large
// one that rests beside small ones that come and go; but then each large one that comes to lie
// beside a small old rest would go at once. True: that of `other`.
bool has_age_of(const Descriptor* other, std::uint64_t since, std::size_t regions) {
  if (since == kNever || other->free.since == kNever) return other->free.since < since;
  const bool other_is_older = other->free.since < since;
  return other_is_older ? other->regions >= regions : other->regions > regions;
}

std::size_t aligned_region(const Arena& arena, std::size_t region, std::size_t alignment) {
  const std::size_t first = address_of(arena.base) >> kRegionShift;
  return align_up(first + region, alignment) - first;
}

Descriptor* take_frontier_of(Arena& arena, std::size_t regions, std::size_t alignment) {
  const std::size_t old_frontier = arena.frontier;
  const std::size_t region = aligned_region(arena, old_frontier, alignment);
  if (region > arena.regions || !arena_advance(arena, region + regions)) return nullptr;
  if (region > old_frontier) {
    insert_coalesced(busy_span(arena, old_frontier, region - old_frontier), false, 0);
  }
  return busy_span(arena, region, regions);
}

}  // namespace

void make_free(Descriptor* head, std::size_t regions, bool dirty, std::uint64_t since,
               AgeQueue::Place place, bool reserved) {
  head->regions = static_cast<std::uint32_t>(regions);
  Descriptor* last = last_of(head);
  last->regions = head->regions;
  last->arena = head->arena;
  head->is_free = last->is_free = true;
  head->dirty = dirty;
  head->reserved = reserved;
  head->free.since = since;
  tree_of(head).insert(head);
  free_regions += regions;
  if (dirty) {
    if (since != kNever) waiting.insert(head, place);
    add_dirty(regions);
  }
}

Descriptor* insert_coalesced(Descriptor* head, bool dirty, std::uint64_t since) {
  const Arena& arena = arena_of(head);
  std::size_t regions = head->regions;
  Descriptor* next = free_after(arena, head);
  Descriptor* before = free_before(head);
  Descriptor* ancestor = nullptr;  // whose age it has
  for (Descriptor** other : {&next, &before}) {
    if (!may_merge(*other, dirty)) {
      *other = nullptr;
      continue;
    }
    if (has_age_of(*other, since, regions)) {
      ancestor = *other;
      since = ancestor->free.since;
    }
    regions += (*other)->regions;
  }
  for (Descriptor* other : {next, before}) {
    if (other != nullptr && other != ancestor) make_busy(other);
  }
  AgeQueue::Place place = waiting.newest_place();
  if (ancestor != nullptr) {
    place = AgeQueue::place_of(ancestor);  // with the others out of the list
    make_busy(ancestor);
  }
  if (before != nullptr) head = before;
  make_free(head, regions, dirty, since, place);
  return head;
}

void end_reservation(Descriptor* head) {
  Descriptor* next = free_after(arena_of(head), head);
  if (next == nullptr || !next->reserved) return;
  make_busy(next);
  insert_coalesced(next, false, 0);
}

Descriptor* busy_span(const Arena& arena, std::size_t region, std::size_t regions) {
  Descriptor* head = arena.descriptor(region);
  head->arena = static_cast<std::uint8_t>(&arena - arenas);
  head->regions = static_cast<std::uint32_t>(regions);
  return head;
}

Descriptor* cut_out(Descriptor* span, std::size_t from, std::size_t regions) {
  const bool dirty = span->dirty;
  const bool reserved = span->reserved;
  const std::uint64_t since = span->free.since;
  const std::size_t total = span->regions;
  AgeQueue::Place place = AgeQueue::place_of(span);
  make_busy(span);
  Descriptor* head = busy_span(arena_of(span), region_of(span) + from, regions);
  if (from + regions < total) {
    Descriptor* tail = head + regions;
    tail->arena = span->arena;
    make_free(tail, total - from - regions, dirty, since, place, reserved);
    place.newer = tail;
  }
  if (from > 0) make_free(span, from, dirty, since, place, reserved);
  return head;
}

Descriptor* take_fit(SpanTree& tree, std::size_t regions, std::size_t alignment) {
  // The best fit may happen to be aligned; else one is needed that has an aligned part for sure.
  for (const std::size_t size : {regions, regions + alignment - 1}) {
    Descriptor* span = tree.best_fit(size);
    if (span == nullptr) return nullptr;
    const std::size_t region = region_of(span);
    const std::size_t from = aligned_region(arena_of(span), region, alignment) - region;
    if (from + regions <= span->regions) return cut_out(span, from, regions);
  }
  return nullptr;
}

Descriptor* take_frontier(std::size_t regions, std::size_t alignment) {
  for (Arena& arena : arenas_so_far()) {
    if (Descriptor* head = take_frontier_of(arena, regions, alignment)) return head;
  }
  return nullptr;
}

std::size_t free_until(const Arena& arena, std::size_t from, std::size_t enough) {
  while (from < enough && from < arena.frontier) {
    const Descriptor* next = arena.descriptor(from);
    if (!next->is_free) return from;
    from += next->regions;
  }
  return enough;
}

bool take_free(Arena& arena, Descriptor* first, std::size_t from, std::size_t to) {
  const std::size_t old_frontier = arena.frontier;
  if (to > old_frontier && !arena_advance(arena, to)) return false;
  for (std::size_t at = from; at < std::min(to, old_frontier);) {
    Descriptor* span = at == from ? first : arena.descriptor(at);
    const std::size_t start = region_of(span);
    const std::size_t end = std::min(start + span->regions, to);
    cut_out(span, at - start, end - at);
    at = end;
  }
  return true;
}

Descriptor* take_extended(std::size_t regions) {
  constexpr int kTries = 8;
  Descriptor* span = dirty_spans.last_before(nullptr);
  for (int i = 0; i < kTries && span != nullptr && span->regions >= regions / 4; ++i) {
    Arena& arena = arena_of(span);
    Descriptor* first = span;
    const std::size_t end = free_until(arena, region_of(span), region_of(span) + regions);
    while (end - region_of(first) < regions) {
      Descriptor* before = free_before(first);
      if (before == nullptr || before->reserved) break;
      first = before;
    }
    if (end - region_of(first) >= regions && take_free(arena, first, end - regions, end)) {
      return busy_span(arena, end - regions, regions);
    }
    span = dirty_spans.last_before(span);
  }
  return nullptr;
}

bool has_room(std::size_t regions, std::size_t alignment) {
  for (const Arena& arena : arenas_so_far()) {
    if (aligned_region(arena, arena.frontier, alignment) + regions <= arena.regions) return true;
  }
  return false;
}

}  // namespace hakmem
