#include "hakmem/arena/apart.hpp"

#include <algorithm>

#include "hakmem/arena/arena.hpp"
#include "hakmem/base/fatal.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/os/memory.hpp"

namespace hakmem {

constinit os::Lock apart_lock{os::LockKind::spans};
constinit std::atomic<std::size_t> apart_regions{0};
constinit std::atomic<bool> apart_used{false};

namespace {

constexpr std::uintptr_t kFreePlace = 0;
constexpr std::uintptr_t kTaken = 1;  // being mapped or moved: nobody finds it

constinit Descriptor objects[kMaxApart]{};
constinit std::uintptr_t starts[kMaxApart]{};  // of the objects: what is searched lies together
constinit unsigned places = 0;                 // from here on all are free
constinit unsigned live = 0;

// Where the last ones were that were freed or moved, so that a double free is named.
constexpr unsigned kRemembered = 64;
constinit std::uintptr_t freed[kRemembered]{};
constinit unsigned freed_so_far = 0;

std::size_t bytes_of(const Descriptor* head) { return std::size_t{head->regions} << kRegionShift; }

Descriptor* take_place(std::size_t regions) {
  const os::Locked locked(apart_lock);
  // Each eighth of the places asks for twice the size.
  if (live == kMaxApart || regions < kLeastApart << (live * 8 / kMaxApart)) return nullptr;
  unsigned place = 0;
  while (starts[place] != kFreePlace) ++place;
  starts[place] = kTaken;
  places = std::max(places, place + 1);
  ++live;
  return &objects[place];
}

void give_place(const Descriptor* head) {
  const os::Locked locked(apart_lock);
  starts[head - objects] = kFreePlace;
  --live;
}

void publish(Descriptor* head, void* base, std::size_t regions) {
  head->large.apart = static_cast<char*>(base);
  head->regions = static_cast<std::uint32_t>(regions);
  apart_regions.fetch_add(regions, std::memory_order_relaxed);
  const os::Locked locked(apart_lock);
  starts[head - objects] = address_of(base) + head->start;
}

// From now on nobody finds it; another object may come to lie at its address.
void withdraw(Descriptor* head) {
  apart_regions.fetch_sub(head->regions, std::memory_order_relaxed);
  const os::Locked locked(apart_lock);
  std::uintptr_t& start = starts[head - objects];
  if (start != address_of(head->large.apart) + head->start) {
    fatal_pointer("double free of a large object:", head->large.apart + head->start,
                  bytes_of(head));
  }
  freed[freed_so_far++ % kRemembered] = start;
  start = kTaken;
}

// Growing by at least an eighth keeps system calls rare. `regions` becomes what was had.
void* remap_roomy(void* base, std::size_t old_bytes, std::size_t& regions) {
  for (const std::size_t wanted : {regions + regions / 8, regions}) {
    if (wanted > UINT32_MAX / 2) continue;
    if (void* grown = os::remap(base, old_bytes, wanted << kRegionShift); grown != nullptr) {
      regions = wanted;
      return grown;
    }
  }
  return nullptr;
}

void* moved_out(const Descriptor* span, std::size_t& regions) {
  char* source = memory_of(span);
  void* out = os::move_out(source, bytes_of(span));
  if (out == nullptr) return nullptr;
  if (void* grown = remap_roomy(out, bytes_of(span), regions); grown != nullptr) return grown;
  __builtin_memcpy(source, out, bytes_of(span));
  os::release(out, bytes_of(span));
  return nullptr;
}

void* copied_out(const Descriptor* span, std::size_t regions) {
  const std::size_t bytes = regions << kRegionShift;
  auto* base = static_cast<char*>(os::map(bytes));
  if (base == nullptr) return nullptr;
  if (config::huge_pages() == 0) os::advise(base, bytes, os::Advice::no_huge_pages);
  __builtin_memcpy(base + span->start, memory_of(span) + span->start, span->large.bytes);
  return base;
}

}  // namespace

Apart apart_open(const Descriptor* span, std::size_t regions) {
  if (regions > UINT32_MAX / 2) return {nullptr, false};
  Descriptor* head = take_place(span->regions);
  if (head == nullptr) return {nullptr, false};
  apart_used.store(true, std::memory_order_relaxed);
  void* base = moved_out(span, regions);
  const bool moved = base != nullptr;
  if (!moved) base = copied_out(span, regions);
  if (base == nullptr) {
    give_place(head);
    return {nullptr, false};
  }
  head->start = span->start;
  publish(head, base, regions);
  return {head, moved};
}

bool apart_grow(Descriptor* head, std::size_t regions) {
  char* const old = head->large.apart;
  withdraw(head);
  void* base = remap_roomy(old, bytes_of(head), regions);
  const bool grown = base != nullptr;
  publish(head, grown ? base : old, grown ? regions : head->regions);
  return grown;
}

// Not by mremap: emulators may move what shrinks.
void apart_shrink(Descriptor* head, std::size_t regions) {
  char* const base = head->large.apart;
  const std::size_t kept = regions << kRegionShift;
  const std::size_t given = bytes_of(head) - kept;
  withdraw(head);
  os::release(base + kept, given);
  publish(head, base, regions);
}

void apart_close(Descriptor* head) {
  withdraw(head);
  os::release(head->large.apart, bytes_of(head));
  give_place(head);
}

Descriptor* apart_find(const void* p) {
  const os::Locked locked(apart_lock);
  const std::uintptr_t* end = starts + places;
  const std::uintptr_t* found = std::find<const std::uintptr_t*>(starts, end, address_of(p));
  return found != end ? &objects[found - starts] : nullptr;
}

HAK_COLD RegionId apart_id(const void* p) {
  if (!apart_used.load(std::memory_order_relaxed)) return kRegionUnused;
  if (apart_find(p) != nullptr) return kRegionLarge;
  const os::Locked locked(apart_lock);
  for (unsigned i = 0; i < places; ++i) {
    if (starts[i] == kFreePlace || starts[i] == kTaken) continue;
    if (address_of(p) - address_of(objects[i].large.apart) < bytes_of(&objects[i])) {
      return kRegionInterior;
    }
  }
  const bool was_here = std::find(freed, freed + kRemembered, address_of(p)) != freed + kRemembered;
  return was_here ? kRegionFreed : kRegionUnused;
}

}  // namespace hakmem
