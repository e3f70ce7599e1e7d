#include "hakmem/arena/spans.hpp"

#include <algorithm>

#include "hakmem/arena/free_spans.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/os/memory.hpp"
#include "hakmem/os/system.hpp"

namespace hakmem {

constinit std::atomic<std::size_t> bytes_given_back{0};
constinit std::atomic<std::size_t> slack_given_back{0};

namespace {

constinit os::Lock lock{os::LockKind::spans};
constinit std::size_t most_used = 0;  // regions that were in use at once
constinit std::uint64_t purges = 0;

// ---- purging -----------------------------------------------------------------------------------
// Purges the pages of bitmaps that belong to free regions alone, those of `span`, as far as they
// touch the regions [from, to) and are accessible. Bits of free regions mean nothing: local ones
// are cleared when a slab is made, remote ones are 0 already. Where it fails the bits stay.
void purge_bitmaps(const Descriptor* span, std::size_t from, std::size_t to) {
  const Arena& arena = arena_of(span);
  const std::size_t first = region_of(span);
  const std::size_t page = os::page_size();
  for (const GrowingArray* array : {&arena.local_bits, &arena.remote_bits}) {
    const std::size_t each = array->element_bytes;
    const std::size_t begin = std::max(align_up(first * each, page), align_down(from * each, page));
    const std::size_t end = std::min({align_down((first + span->regions) * each, page),
                                      align_up(to * each, page), array->accessible});
    if (begin < end) static_cast<void>(os::purge(array->base + begin, end - begin));
  }
}

// Purges the oldest dirty span, or so much of it, without the lock. Returns the bytes; 0: failed.
std::size_t purge_oldest(std::size_t most = SIZE_MAX) {
  const std::size_t some = std::min<std::size_t>(waiting.oldest()->regions, most);
  Descriptor* span = cut_out(waiting.oldest(), waiting.oldest()->regions - some, some);
  lock.unlock();
  const std::size_t bytes = std::size_t{span->regions} << kRegionShift;
  const bool gone = os::purge(memory_of(span), bytes);
  const std::size_t from = region_of(span);
  lock.lock();
  const Descriptor* merged = insert_coalesced(span, !gone, gone ? 0 : kNever);
  if (!gone) return 0;
  // Its neighbours may complete a page at either end. Little beside the memory: under the lock.
  purge_bitmaps(merged, from, from + (bytes >> kRegionShift));
  ++purges;
  return bytes;
}

// Purges while `due(oldest)` says so. The lock is held.
template <typename Due>
std::size_t purge_while(Due due) {
  std::size_t purged = 0;
  while (waiting.oldest() != nullptr && due(waiting.oldest())) {
    const std::size_t some = purge_oldest();
    if (some == 0) break;
    purged += some;
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
// A larger share makes no sense; the product must not overflow.
constexpr std::uint64_t kMostShare = 1000;
// Less waste than this is not worth a system call.
constexpr std::size_t kLeastWaste = (std::size_t{4} << 20) >> kRegionShift;
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

// Fresh memory was taken as nothing dirty fitted: the heap's needs so far bound what waits unused.
void bound_waste() {
  const std::size_t used = regions_ever_used.load(std::memory_order_relaxed) - free_regions;
  most_used = std::max(most_used, used);
  const std::size_t share = most_used * std::min(config::dirty_share(), kMostShare) / 100;
  const std::size_t allowed = most_used + std::max(share, kLeastWaste);
  while (waiting.oldest() != nullptr) {
    const std::size_t resident = used + dirty_regions.load(std::memory_order_relaxed);
    if (resident <= allowed || purge_oldest(resident - allowed) == 0) break;
  }
}

// Whether so many more bytes may be resident, as far as that is known here. There is a limit.
HAK_COLD bool within_limit(std::size_t bytes) {
  const std::size_t regions = regions_ever_used.load(std::memory_order_relaxed);
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
  if (regions == 0 || regions > UINT32_MAX / 2) return {};
  const os::Locked locked(lock);
  if (Descriptor* head = take_fit(dirty_spans, regions, alignment)) return {head, false};
  if (HAK_UNLIKELY(config::limit() != 0) && !can_have(regions << kRegionShift)) return {};
  Descriptor* fresh = alignment == 1 ? take_extended(regions) : nullptr;
  const bool zero = fresh == nullptr;
  if (fresh == nullptr) fresh = take_fit(clean_spans, regions, alignment);
  if (fresh == nullptr) fresh = take_frontier(regions, alignment);
  if (fresh != nullptr) {
    bound_waste();
    return {fresh, zero};
  }
  if (Descriptor* head = take_fit(reserved_spans, regions, alignment)) return {head, true};
  // Purged neighbours merge: worth a try before the arena is called full.
  purge_while([](const Descriptor*) { return true; });
  if (Descriptor* head = take_fit(clean_spans, regions, alignment)) return {head, true};
  // Only where address space ran out: a further arena does not help against a refusal of memory.
  if (has_room(regions, alignment) || !arena_add(regions + alignment - 1)) return {};
  return {take_frontier(regions, alignment), true};
}

Span span_allocate_growing(std::size_t regions, std::size_t room) {
  if (regions == 0 || regions > UINT32_MAX / 2) return {};
  const os::Locked locked(lock);
  for (const std::size_t size : {4 * regions, regions}) {
    Descriptor* span = dirty_spans.best_fit(size);
    if (span != nullptr) return {cut_out(span, 0, regions), false};
  }
  if (room <= regions || (config::limit() != 0 && !can_have(regions << kRegionShift))) return {};
  Descriptor* head = take_fit(clean_spans, room, 1);
  if (head == nullptr) head = take_frontier(room, 1);
  if (head == nullptr) return {};
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
  Descriptor* rest = busy_span(arena_of(head), region_of(head) + regions, head->regions - regions);
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
  if (new_end > free_until(arena, end, new_end)) return false;
  if (!take_free(arena, arena.descriptor(end), end, new_end)) return false;
  head->regions = static_cast<std::uint32_t>(regions);
  return true;
}

bool span_open_remote_bits(const Descriptor* head) {
  const os::Locked locked(lock);
  Arena& arena = arena_of(head);
  return arena.remote_bits.grow_to(region_of(head) + head->regions, 64 * 1024, arena.regions);
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
  // All threads come by at every visit: a look a tick is enough, and spares them the lock's line.
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

SpanStatistics span_statistics(bool ask_system) {
  const os::Locked locked(lock);
  SpanStatistics s{};
  std::size_t frontier = 0;
  for (const Arena& arena : arenas_so_far()) {
    s.mapped += arena.mapped;
    s.ahead += arena.memory.accessible - (arena.frontier << kRegionShift);
    frontier += arena.frontier << kRegionShift;
  }
  const std::size_t free_bytes = free_regions << kRegionShift;
  s.dirty = dirty_bytes();
  s.clean = free_bytes - s.dirty;
  const std::size_t apart = apart_regions.load(std::memory_order_relaxed) << kRegionShift;
  s.mapped += apart;
  s.used = frontier - free_bytes + apart;
  s.metadata = metadata_bytes();
  if (ask_system) s.metadata_resident = metadata_bytes(true);
  s.purges = purges;
  return s;
}

void spans_locks(void (os::Lock::*action)()) {
  for (os::Lock* each : {&lock, &metadata_lock, &apart_lock}) (each->*action)();
}

}  // namespace hakmem
