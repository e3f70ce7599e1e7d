#include "hakmem/arena/spans.hpp"

#include <algorithm>

#include "hakmem/arena/age_queue.hpp"
#include "hakmem/arena/span_tree.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/os/cgroup.hpp"
#include "hakmem/os/lock.hpp"
#include "hakmem/os/memory.hpp"
#include "hakmem/os/system.hpp"

namespace hakmem {

constinit std::atomic<std::size_t> bytes_given_back{0};

namespace {

constinit os::Lock lock{os::LockKind::spans};
constinit SpanTree dirty_spans;
constinit SpanTree clean_spans;
constinit SpanTree reserved_spans;
constinit AgeQueue waiting;  // dirty spans in the order they were freed
constinit std::size_t free_regions = 0;
constinit std::uint64_t purges = 0;

// Read without the lock to decide whether a visit is worth it: relaxed, a late answer costs a
// visit.
constinit std::atomic<std::size_t> dirty_regions{0};

// Age of memory that the system would not take back (locked pages): it is not offered again.
constexpr std::uint64_t kNever = UINT64_MAX;

void add_dirty(std::ptrdiff_t regions) {
  dirty_regions.store(
      dirty_regions.load(std::memory_order_relaxed) + static_cast<std::size_t>(regions),
      std::memory_order_relaxed);
}

// ---- free spans --------------------------------------------------------------------------------

Descriptor* last_of(Descriptor* head) { return head + (head->regions - 1); }

SpanTree& tree_of(const Descriptor* head) {
  return head->dirty ? dirty_spans : head->reserved ? reserved_spans : clean_spans;
}

// `place` counts for dirty spans that have an age.
void make_free(Descriptor* head, std::size_t regions, bool dirty, std::uint64_t since,
               AgeQueue::Place place, bool reserved = false) {
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
    add_dirty(static_cast<std::ptrdiff_t>(regions));
  }
}

void make_busy(Descriptor* head) {
  tree_of(head).remove(head);
  free_regions -= head->regions;
  if (head->dirty) {
    if (head->free.since != kNever) waiting.remove(head);
    add_dirty(-static_cast<std::ptrdiff_t>(head->regions));
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

// Frees a busy span, merged with neighbours of its kind. Returns what became of it. In the list by
// age it takes the place of the part whose age it has: so the list stays in order, and nothing that
// is young keeps the old waiting.
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

// What was reserved for `head` to grow into serves everybody from now on.
void end_reservation(Descriptor* head) {
  Descriptor* next = free_after(arena_of(head), head);
  if (next == nullptr || !next->reserved) return;
  make_busy(next);
  insert_coalesced(next, false, 0);
}

// ---- allocation --------------------------------------------------------------------------------

std::size_t aligned_region(const Arena& arena, std::size_t region, std::size_t alignment) {
  const std::size_t first = address_of(arena.base) >> kRegionShift;
  return align_up(first + region, alignment) - first;
}

// Cuts [from, from + regions) out of a free span and returns it busy.
Descriptor* cut_out(Descriptor* span, std::size_t from, std::size_t regions) {
  const bool dirty = span->dirty;
  const bool reserved = span->reserved;
  const std::uint64_t since = span->free.since;
  const std::size_t total = span->regions;
  AgeQueue::Place place = AgeQueue::place_of(span);
  make_busy(span);
  Descriptor* head = span + from;
  head->arena = span->arena;
  head->regions = static_cast<std::uint32_t>(regions);
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

Descriptor* take_frontier_of(std::size_t number, std::size_t regions, std::size_t alignment) {
  Arena& arena = arenas[number];
  const std::size_t old_frontier = arena.frontier;
  const std::size_t region = aligned_region(arena, old_frontier, alignment);
  if (region > arena.regions || !arena_advance(arena, region + regions)) return nullptr;
  if (region > old_frontier) {
    Descriptor* skipped = arena.descriptor(old_frontier);
    skipped->arena = static_cast<std::uint8_t>(number);
    skipped->regions = static_cast<std::uint32_t>(region - old_frontier);
    insert_coalesced(skipped, false, 0);
  }
  Descriptor* head = arena.descriptor(region);
  head->arena = static_cast<std::uint8_t>(number);
  head->regions = static_cast<std::uint32_t>(regions);
  return head;
}

Descriptor* take_frontier(std::size_t regions, std::size_t alignment) {
  const std::size_t count = arena_count.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < count; ++i) {
    if (Descriptor* head = take_frontier_of(i, regions, alignment)) return head;
  }
  return nullptr;
}

// Where what is free from `from` on ends, or something from `enough` on. Beyond the frontier all is
// free. Free spans of both kinds alternate, so this is one step for each that is taken.
std::size_t free_until(const Arena& arena, std::size_t from, std::size_t enough) {
  while (from < enough && from < arena.frontier) {
    const Descriptor* next = arena.descriptor(from);
    if (!next->is_free) return from;
    from += next->regions;
  }
  return enough;
}

// Whether some arena has address space left for it.
bool has_room(std::size_t regions, std::size_t alignment) {
  const std::size_t count = arena_count.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < count; ++i) {
    if (aligned_region(arenas[i], arenas[i].frontier, alignment) + regions <= arenas[i].regions) {
      return true;
    }
  }
  return false;
}

// ---- purging -----------------------------------------------------------------------------------

// Purges the pages of bitmaps that belong to free regions alone, those of `span`, as far as they
// touch the regions [from, to). Bits of free regions mean nothing: local ones are cleared when a
// slab is made, remote ones are 0 already. Where it fails the bits stay as they are.
void purge_bitmaps(const Descriptor* span, std::size_t from, std::size_t to) {
  const Arena& arena = arena_of(span);
  const std::size_t first = region_of(span);
  const std::size_t page = os::page_size();
  for (const GrowingArray* array : {&arena.local_bits, &arena.remote_bits}) {
    const std::size_t each = array->element_bytes;
    const std::size_t begin = std::max(align_up(first * each, page), align_down(from * each, page));
    const std::size_t end =
        std::min(align_down((first + span->regions) * each, page), align_up(to * each, page));
    if (begin < end) static_cast<void>(os::purge(array->base + begin, end - begin));
  }
}

// Purges the oldest dirty span, without the lock while the system works. False when that failed.
bool purge_oldest(std::size_t& purged_bytes) {
  Descriptor* span = waiting.oldest();
  make_busy(span);
  lock.unlock();
  const std::size_t bytes = std::size_t{span->regions} << kRegionShift;
  const bool gone = os::purge(memory_of(span), bytes);
  const std::size_t from = region_of(span);
  const std::size_t to = from + span->regions;
  if (gone) purge_bitmaps(span, from, to);
  lock.lock();
  const Descriptor* merged = insert_coalesced(span, !gone, gone ? 0 : kNever);
  if (!gone) return false;
  // With its neighbours the span may complete a page at either end.
  if (region_of(merged) < from) purge_bitmaps(merged, from, from + 1);
  if (region_of(merged) + merged->regions > to) purge_bitmaps(merged, to - 1, to);
  purged_bytes += bytes;
  ++purges;
  return true;
}

// Purges while `due(oldest)` says so. The lock is held.
template <typename Due>
std::size_t purge_while(Due due) {
  std::size_t purged = 0;
  while (waiting.oldest() != nullptr && due(waiting.oldest())) {
    if (!purge_oldest(purged)) break;
  }
  return purged;
}

bool too_old(const Descriptor* span, std::uint64_t now) {
  // Freed after `now` was read, while this thread waited or purged: young.
  return now >= span->free.since && now - span->free.since >= config::purge_delay();
}

std::size_t dirty_bytes() { return dirty_regions.load(std::memory_order_relaxed) << kRegionShift; }

// ---- limits ------------------------------------------------------------------------------------

// A control group's limit is asked for when so much waits: few programs need to know it.
constexpr std::size_t kDirtyBeforeAsking = std::size_t{16} << 20;
// Of such a limit so much may be dirty.
constexpr std::size_t kDirtyShare = 8;

// Asking twice does no harm: relaxed.
constinit std::atomic<bool> group_was_asked{false};
constinit std::atomic<std::size_t> group_dirty_limit{SIZE_MAX};

// Without the lock: it reads files.
HAK_COLD void ask_group() {
  group_was_asked.store(true, std::memory_order_relaxed);
  const std::size_t limit = os::cgroup_memory_limit();
  if (limit != SIZE_MAX) group_dirty_limit.store(limit / kDirtyShare, std::memory_order_relaxed);
}

bool too_many() {
  return dirty_bytes() > std::min<std::size_t>(config::dirty_limit(),
                                               group_dirty_limit.load(std::memory_order_relaxed));
}

// Whether so many more bytes may be resident, as far as that is known here. There is a limit.
HAK_COLD bool within_limit(std::size_t bytes) {
  const std::size_t count = arena_count.load(std::memory_order_relaxed);
  std::size_t regions = 0;
  for (std::size_t i = 0; i < count; ++i) regions += arenas[i].frontier;
  const std::size_t clean = free_regions - dirty_regions.load(std::memory_order_relaxed);
  const std::size_t given_back = bytes_given_back.load(std::memory_order_relaxed);
  const std::size_t sum = bytes + ((regions - clean) << kRegionShift) + metadata_bytes();
  return sum <= given_back || sum - given_back <= config::limit();
}

// The same after the utmost was done for it.
HAK_COLD bool can_have(std::size_t bytes) {
  if (within_limit(bytes)) return true;
  purge_while([](const Descriptor*) { return true; });
  return within_limit(bytes);
}

}  // namespace

bool spans_start() {
  const os::Locked locked(lock);
  return arena_count.load(std::memory_order_relaxed) != 0 || arena_add(1);
}

Span span_allocate(std::size_t regions, std::size_t alignment) {
  if (regions == 0 || regions > UINT32_MAX / 2) return {nullptr, false};
  const os::Locked locked(lock);
  if (Descriptor* head = take_fit(dirty_spans, regions, alignment)) return {head, false};
  if (HAK_UNLIKELY(config::limit() != 0) && !can_have(regions << kRegionShift)) {
    return {nullptr, false};
  }
  if (Descriptor* head = take_fit(clean_spans, regions, alignment)) return {head, true};
  if (Descriptor* head = take_frontier(regions, alignment)) return {head, true};
  if (Descriptor* head = take_fit(reserved_spans, regions, alignment)) return {head, true};
  // Purged neighbours merge: worth a try before the arena is called full.
  purge_while([](const Descriptor*) { return true; });
  if (Descriptor* head = take_fit(clean_spans, regions, alignment)) return {head, true};
  // Only where address space ran out: a further arena does not help against a refusal of memory.
  if (has_room(regions, alignment) || !arena_add(regions + alignment - 1)) return {nullptr, false};
  return {take_frontier(regions, alignment), true};
}

Span span_allocate_growing(std::size_t regions, std::size_t room) {
  if (regions == 0 || regions > UINT32_MAX / 2) return {nullptr, false};
  const os::Locked locked(lock);
  for (const std::size_t size : {4 * regions, regions}) {
    Descriptor* span = dirty_spans.best_fit(size);
    if (span != nullptr) return {cut_out(span, 0, regions), false};
  }
  if (room <= regions || (config::limit() != 0 && !can_have(regions << kRegionShift))) {
    return {nullptr, false};
  }
  Descriptor* head = take_fit(clean_spans, room, 1);
  if (head == nullptr) head = take_frontier(room, 1);
  if (head == nullptr) return {nullptr, false};
  Descriptor* rest = head + regions;
  rest->arena = head->arena;
  head->regions = static_cast<std::uint32_t>(regions);
  make_free(rest, room - regions, false, 0, {}, true);
  return {head, true};
}

void span_free(Descriptor* head, bool zero) {
  const std::uint64_t now = os::coarse_milliseconds();
  if (HAK_UNLIKELY(dirty_bytes() > kDirtyBeforeAsking) &&
      !group_was_asked.load(std::memory_order_relaxed)) {
    ask_group();
  }
  const os::Locked locked(lock);
  end_reservation(head);
  insert_coalesced(head, !zero, zero ? 0 : now);
  purge_while([&](const Descriptor* span) { return too_many() || too_old(span, now); });
}

Descriptor* span_split(Descriptor* head, std::size_t regions) {
  const os::Locked locked(lock);
  Descriptor* rest = head + regions;
  rest->arena = head->arena;
  rest->regions = head->regions - static_cast<std::uint32_t>(regions);
  head->regions = static_cast<std::uint32_t>(regions);
  return rest;
}

bool span_grow(Descriptor* head, std::size_t regions) {
  if (regions > UINT32_MAX / 2) return false;
  const os::Locked locked(lock);
  Arena& arena = arena_of(head);
  const std::size_t end = region_of(head) + head->regions;
  if (config::limit() != 0 && !within_limit((regions - head->regions) << kRegionShift)) {
    return false;
  }
  const std::size_t new_end = region_of(head) + regions;
  const std::size_t old_frontier = arena.frontier;
  if (new_end > free_until(arena, end, new_end)) return false;
  if (new_end > old_frontier && !arena_advance(arena, new_end)) return false;
  for (std::size_t at = end; at < std::min(new_end, old_frontier);) {
    Descriptor* next = arena.descriptor(at);
    at += next->regions;
    cut_out(next, 0, std::min<std::size_t>(next->regions, new_end - region_of(next)));
  }
  head->regions = static_cast<std::uint32_t>(regions);
  return true;
}

bool spans_can_refill(std::size_t bytes) {
  if (HAK_LIKELY(config::limit() == 0)) return true;
  const os::Locked locked(lock);
  return can_have(bytes);
}

bool spans_waiting() { return dirty_regions.load(std::memory_order_relaxed) != 0; }

std::size_t spans_frontier(std::size_t arena) {
  const os::Locked locked(lock);
  return arenas[arena].frontier;
}

void spans_tick(std::uint64_t now) {
  // All threads come by here at every visit: one look at each tick of the clock will do, and spares
  // them the lock's cache line.
  static constinit std::atomic<std::uint64_t> looked_at{0};
  if (looked_at.load(std::memory_order_relaxed) == now || !lock.try_lock()) return;
  looked_at.store(now, std::memory_order_relaxed);
  purge_while([&](const Descriptor* span) { return too_old(span, now); });
  lock.unlock();
}

std::size_t spans_purge_all() {
  const os::Locked locked(lock);
  return purge_while([](const Descriptor*) { return true; });
}

SpanStatistics span_statistics() {
  const os::Locked locked(lock);
  SpanStatistics s{};
  std::size_t frontier = 0;
  const std::size_t count = arena_count.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < count; ++i) {
    s.mapped += arenas[i].mapped;
    s.reserved += arenas[i].regions << kRegionShift;
    s.ahead += arenas[i].memory.accessible - (arenas[i].frontier << kRegionShift);
    frontier += arenas[i].frontier << kRegionShift;
  }
  const std::size_t free_bytes = free_regions << kRegionShift;
  s.dirty = dirty_bytes();
  s.clean = free_bytes - s.dirty;
  const std::size_t apart = apart_regions.load(std::memory_order_relaxed) << kRegionShift;
  s.mapped += apart;
  s.reserved += apart;
  s.used = frontier - free_bytes + apart;
  s.metadata = metadata_bytes();
  s.purges = purges;
  return s;
}

std::size_t metadata_resident() {
  const os::Locked locked(lock);
  return metadata_resident_bytes();
}

void spans_lock_all() {
  lock.lock();
  metadata_lock().lock();
  apart_lock().lock();
}

void spans_unlock_all() {
  apart_lock().unlock();
  metadata_lock().unlock();
  lock.unlock();
}

void spans_reset_locks() {
  apart_lock().reset();
  metadata_lock().reset();
  lock.reset();
}

}  // namespace hakmem
