#include "hakmem/arena/arena.hpp"

#include <algorithm>
#include <bit>

#include "hakmem/config/options.hpp"
#include "hakmem/os/memory.hpp"
#include "hakmem/os/system.hpp"

namespace hakmem {

constinit ArenaWindow arena_window{};
constinit Arena arenas[kMaxArenas]{};
constinit std::atomic<std::size_t> arena_count{0};
constinit std::atomic<std::size_t> regions_ever_used{0};
constinit std::atomic<std::size_t> known_limit{0};
constinit os::Lock metadata_lock{os::LockKind::metadata};

namespace {

constexpr std::size_t kBitsBytes = kMaxWords * sizeof(std::uint64_t);  // of a region, of each kind
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSmallestArena = (std::size_t{4} << 20) >> kRegionShift;

constexpr std::uint64_t kHugePagesAsked = 2;  // a value of the option

// Metadata arrays grow by at least so many elements.
constexpr std::size_t kMetadataStep = 64;

// The metadata heap takes a part of the first arena's size, within bounds.
constexpr std::size_t kMetadataShare = 256;
constexpr std::size_t kLeastMetadata = std::size_t{8} << 20;
constexpr std::size_t kMostMetadata = std::size_t{4} << 30;

std::size_t mapped_in_all() {
  std::size_t sum = 0;
  for (const Arena& arena : arenas_so_far()) sum += arena.mapped;
  return sum;
}

// The limit of address space. A program that confined itself since the start (seccomp) may be ended
// for the question: it is asked anew only where more than there is cannot be mapped.
std::size_t limit_now() {
  const std::size_t mapped = mapped_in_all();
  // What was reserved without a limit is beyond any other by itself.
  const std::size_t known = known_limit.load(std::memory_order_relaxed);
  const std::size_t more = known == SIZE_MAX ? os::page_size() : mapped;
  void* room = more != 0 ? os::reserve(more) : nullptr;
  if (room != nullptr) os::release(room, more);
  if (room != nullptr && mapped <= known) return known;
  known_limit.store(os::address_space_limit(), std::memory_order_relaxed);
  return known_limit.load(std::memory_order_relaxed);
}

// ---- the metadata heap -------------------------------------------------------------------------
struct MetadataHeap {
  GrowingArray memory;
  std::size_t capacity;
  std::size_t used;
  void* free_blocks[48];  // by power of two; the first word of a free block is the link
};
constinit MetadataHeap metadata{};

std::size_t rounded_metadata(std::size_t n) { return std::bit_ceil(std::max(n, kCacheLine)); }

// ---- laying out a reservation ------------------------------------------------------------------
struct Offsets {
  std::size_t ids, places, descriptors, local_bits, remote_bits, metadata, metadata_bytes, memory,
      total;
};

Offsets plan(std::size_t regions, bool first) {
  const std::size_t page = os::page_size();
  std::size_t end = page;
  // Page-aligned pieces of the reservation, with a page without access after each.
  const auto take = [&](std::size_t bytes) {
    const std::size_t at = end;
    end = align_up(end + bytes, page) + page;
    return at;
  };
  Offsets o{};
  o.ids = take(regions * sizeof(RegionId));
  o.places = take(regions);
  o.descriptors = take(regions * sizeof(Descriptor));
  o.local_bits = take(regions * kBitsBytes);
  o.remote_bits = take(regions * kBitsBytes);
  if (first) {
    o.metadata_bytes =
        std::clamp((regions << kRegionShift) / kMetadataShare, kLeastMetadata, kMostMetadata);
    o.metadata = take(o.metadata_bytes);
  }
  o.memory = end;
  o.total = o.memory + (regions << kRegionShift) + kHugePage;
  return o;
}

bool reserve_arena(Arena& arena, std::size_t regions, bool first) {
  const Offsets o = plan(regions, first);
  auto* mapping = static_cast<char*>(os::reserve(o.total));
  if (mapping == nullptr) return false;
  // The slack for the arena's alignment lies before the memory, and stays without access.
  const std::size_t memory = align_up(address_of(mapping) + o.memory, kHugePage);
  if (!os::make_readable(mapping + o.ids, align_up(regions * sizeof(RegionId), os::page_size()))) {
    os::release(mapping, o.total);
    return false;
  }
  const auto huge_pages = config::huge_pages();
  os::advise(mapping, huge_pages == 0 ? o.total : align_down(o.memory, os::page_size()),
             os::Advice::no_huge_pages);
  if (huge_pages == kHugePagesAsked) {
    os::advise(reinterpret_cast<char*>(memory), regions << kRegionShift, os::Advice::huge_pages);
  }
  arena.mapping = mapping;
  arena.mapped = o.total;
  arena.base = reinterpret_cast<char*>(memory);
  arena.regions = regions;
  arena.ids = {mapping + o.ids, sizeof(RegionId), 0};
  arena.places = {mapping + o.places, 1, 0};
  arena.descriptors = {mapping + o.descriptors, sizeof(Descriptor), 0};
  arena.local_bits = {mapping + o.local_bits, kBitsBytes, 0};
  arena.remote_bits = {mapping + o.remote_bits, kBitsBytes, 0};
  arena.memory = {arena.base, kRegionBytes, 0};
  if (first) {
    metadata.memory = {mapping + o.metadata, 1, 0};
    metadata.capacity = o.metadata_bytes;
  }
  return true;
}

std::size_t first_choice(std::size_t limit) {
  if (config::arena_bytes() != 0) return config::arena_bytes() >> kRegionShift;
  return std::min(os::address_space_size() / 16, limit / 4) >> kRegionShift;
}

// The metadata heap of a large arena is gigabytes of address space too.
void cut_metadata(Arena& arena) {
  const os::Locked locked(metadata_lock);
  const std::size_t keep = align_up(
      std::max(metadata.memory.accessible * 2, std::min(metadata.capacity, kLeastMetadata)),
      os::page_size());
  if (keep >= metadata.capacity) return;
  os::release(metadata.memory.base + keep, metadata.capacity - keep);
  arena.mapped -= metadata.capacity - keep;
  metadata.capacity = keep;
}

// Gives back what lies beyond `regions`, of the memory and of each array.
void cut_tail(Arena& arena, std::size_t regions) {
  // First nobody may look there any more.
  if (&arena == &arenas[0]) {
    arena_window.bytes.store(regions << kRegionShift, std::memory_order_relaxed);
  }
  for (GrowingArray* array : {&arena.ids, &arena.places, &arena.descriptors, &arena.local_bits,
                              &arena.remote_bits, &arena.memory}) {
    const std::size_t from = align_up(regions * array->element_bytes, os::page_size());
    const std::size_t to = align_down(arena.regions * array->element_bytes, os::page_size());
    if (from >= to) continue;
    os::release(array->base + from, to - from);
    array->accessible = std::min(array->accessible, from);
    arena.mapped -= to - from;
  }
  arena.regions = regions;
  if (&arena == &arenas[0]) cut_metadata(arena);
}

// Cuts reservations where the program lowered its limit of address space, which is returned.
std::size_t honour_limit(const Arena& growing, std::size_t frontier) {
  const std::size_t limit = limit_now();
  if (mapped_in_all() <= limit / 2) return limit;
  for (Arena& arena : arenas_so_far()) {
    std::size_t keep = arena.memory.accessible >> kRegionShift;
    if (&arena == &growing) keep = std::max({keep, frontier, (limit / 4) >> kRegionShift});
    if (keep < arena.regions) cut_tail(arena, keep);
  }
  return limit;
}

}  // namespace

bool GrowingArray::grow_to(std::size_t count, std::size_t step_bytes, std::size_t capacity) {
  const std::size_t needed = align_up(count * element_bytes, os::page_size());
  if (needed <= accessible) return true;
  const std::size_t most = align_up(capacity * element_bytes, os::page_size());
  const std::size_t wanted = std::min(
      most, align_up(std::max(needed, accessible + std::min(step_bytes, most)), os::page_size()));
  for (const std::size_t target : {wanted, needed}) {
    if (os::commit(base + accessible, target - accessible)) {
      accessible = target;
      return true;
    }
  }
  return false;
}

bool arena_add(std::size_t regions) {
  const std::size_t index = arena_count.load(std::memory_order_relaxed);
  if (index == kMaxArenas) return false;
  Arena& arena = arenas[index];
  const std::size_t least = std::max(regions, kSmallestArena);
  // Further arenas double what there is: their number is bounded.
  const std::size_t limit = limit_now();
  std::size_t size = std::max(
      {first_choice(limit), least, limit == SIZE_MAX ? mapped_in_all() >> kRegionShift : 0});
  while (!reserve_arena(arena, size, index == 0)) {
    if (size == least) return false;
    size = std::max(size / 2, least);
  }
  // What was asked for must be usable too, or every failing request would cost an arena.
  if (index != 0 && !arena_advance(arena, regions)) {
    os::release(arena.mapping, arena.mapped);
    arena = Arena{};
    return false;
  }
  regions_ever_used.fetch_sub(arena.frontier, std::memory_order_relaxed);
  arena.frontier = 0;
  if (index == 0) {
    arena_window.ids.store(reinterpret_cast<std::atomic<RegionId>*>(arena.ids.base),
                           std::memory_order_relaxed);
    arena_window.base.store(address_of(arena.base), std::memory_order_relaxed);
    arena_window.bytes.store(size << kRegionShift, std::memory_order_release);
  }
  // Release: whoever sees the count sees the arena.
  arena_count.store(index + 1, std::memory_order_release);
  return true;
}

bool arena_advance(Arena& arena, std::size_t frontier) {
  if (frontier > arena.regions) return false;
  // An arena's first step follows on the question.
  if (arena.frontier != 0 && frontier << kRegionShift > arena.memory.accessible &&
      frontier << kRegionShift > honour_limit(arena, frontier)) {
    return false;
  }
  // Steps grow with the heap, so that their number stays small and small programs stay small.
  const std::size_t step = std::max(kMetadataStep, arena.frontier / 4);
  const std::size_t memory_step =
      std::max<std::size_t>(config::commit_step(), (arena.frontier << kRegionShift) / 4);
  const auto grow = [&](GrowingArray& array) {
    return array.grow_to(frontier, step * array.element_bytes, arena.regions);
  };
  if (!grow(arena.ids) || !grow(arena.places) || !grow(arena.descriptors) ||
      !grow(arena.local_bits) || !arena.memory.grow_to(frontier, memory_step, arena.regions)) {
    return false;
  }
  regions_ever_used.fetch_add(frontier - arena.frontier, std::memory_order_relaxed);
  arena.frontier = frontier;
  return true;
}

HAK_COLD Arena* further_arena_of(const void* p) {
  for (Arena& arena : arenas_so_far()) {
    if (arena.contains(p)) return &arena;
  }
  return nullptr;
}

void tiny_region_id_write_header(Descriptor* head, RegionId first, RegionId rest) {
  const Arena& arena = arena_of(head);
  const std::size_t region = region_of(head);
  arena.id(region).store(first, std::memory_order_relaxed);
  for (std::size_t i = 1; i < head->regions; ++i) {
    arena.id(region + i).store(rest, std::memory_order_relaxed);
  }
}

void* metadata_allocate(std::size_t bytes) {
  const std::size_t size = rounded_metadata(bytes);
  const os::Locked locked(metadata_lock);
  void*& head = metadata.free_blocks[std::countr_zero(size)];
  if (head != nullptr) {
    void* p = head;
    head = *static_cast<void**>(p);
    __builtin_memset(p, 0, bytes);
    return p;
  }
  // Blocks of a page and more start on a page, so that a thread's block shares none.
  const std::size_t start = align_up(metadata.used, std::min(size, os::page_size()));
  if (start + size > metadata.capacity) return nullptr;
  const std::size_t step = std::max(std::size_t{1} << 16, metadata.used / 4);
  if (!metadata.memory.grow_to(start + size, step, metadata.capacity)) return nullptr;
  metadata.used = start + size;
  return metadata.memory.base + start;
}

void metadata_free(void* p, std::size_t bytes) {
  const std::size_t size = rounded_metadata(bytes);
  const os::Locked locked(metadata_lock);
  void*& head = metadata.free_blocks[std::countr_zero(size)];
  *static_cast<void**>(p) = head;
  head = p;
}

std::size_t metadata_bytes(bool resident) {
  const auto bytes_of = [=](const GrowingArray& array) {
    return resident ? os::resident_bytes(array.base, array.accessible) : array.accessible;
  };
  const os::Locked locked(metadata_lock);
  std::size_t sum = bytes_of(metadata.memory);
  for (const Arena& a : arenas_so_far()) {
    for (const GrowingArray* array :
         {&a.ids, &a.places, &a.descriptors, &a.local_bits, &a.remote_bits}) {
      sum += bytes_of(*array);
    }
  }
  return sum;
}

}  // namespace hakmem
