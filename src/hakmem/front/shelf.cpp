#include "hakmem/front/shelf.hpp"

#include <algorithm>

#include "hakmem/arena/spans.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/front/thread.hpp"
#include "hakmem/heap/holes.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/os/system.hpp"

namespace hakmem {
namespace {

constexpr std::uint32_t kVisitsPerTick = 16;
constexpr std::uint32_t kVisitsPerTidying = 64;  // of a full one
// So much is worth that the thread comes to the slow door for it.
constexpr std::size_t kWorthComing = std::size_t{1} << 20;

Descriptor* pop(Shelf& shelf, std::size_t regions) {
  Descriptor* head = shelf.spans[regions];
  if (head == nullptr) return nullptr;
  shelf.spans[regions] = head->large.next;
  shelf.bytes -= head->large.bytes;
  return head;
}

void give_back_all_but(Shelf& shelf, std::uint32_t kept) {
  for (std::size_t n = 1; n <= Shelf::kLongest; ++n) {
    if ((kept >> n & 1) != 0) continue;
    while (Descriptor* head = pop(shelf, n)) large_span_free(head);
  }
  shelf.wanted = 0;
  shelf.tidied_at = shelf.visits;
  if (shelf.bytes == 0) cache_release(shelf.most);
}

bool all_wanted(const Shelf& shelf) {
  for (std::size_t n = 1; n <= Shelf::kLongest; ++n) {
    if (shelf.spans[n] != nullptr && (shelf.wanted >> n & 1) == 0) return false;
  }
  return true;
}

bool may_keep() {
  // Budgets are divided by the number of heaps: who has none would have one for itself.
  return config::limit() == 0 && config::purge_delay() != 0 && thread_take_heap();
}

// A full shelf grows where all of it is wanted, and else is tidied now and then.
HAK_NOINLINE bool make_room(Shelf& shelf, std::size_t bytes) {
  if (!may_keep()) return false;
  if (!all_wanted(shelf) || !cache_reserve(shelf.most)) {
    if (shelf.visits - shelf.tidied_at < kVisitsPerTidying) return false;
    shelf_tidy(shelf);
  }
  return shelf.bytes + bytes <= shelf.most;
}

// Relaxed: the object was handed out, or will be, by something that orders this.
void set_id(const Descriptor* head, RegionId id) {
  arena_of(head).id(region_of(head)).store(id, std::memory_order_relaxed);
}

}  // namespace

void shelf_visit(Shelf& shelf) {
  if (++shelf.visits % kVisitsPerTick != 0) return;
  // A program that lives on large objects alone should see what waits in heaps, too.
  help_another();
  shelf_tick(shelf);
}

std::uint64_t shelf_tick(Shelf& shelf) {
  const std::uint64_t tick = memory_tick();
  if (shelf.bytes == 0) return tick;
  const std::uint64_t now = tick != 0 ? tick : os::coarse_milliseconds();
  if (now - shelf.looked_at >= config::purge_delay()) {
    shelf.looked_at = now;
    shelf_tidy(shelf);
  }
  return shelf.bytes >= kWorthComing ? now : tick;
}

Descriptor* shelf_take(Shelf& shelf, std::size_t regions) {
  const std::size_t longest = std::min(regions + regions / 4, Shelf::kLongest);
  for (std::size_t n = regions; n <= longest; ++n) {
    shelf.wanted |= 1u << n;
    if (Descriptor* head = pop(shelf, n)) {
      set_id(head, kRegionLarge);
      return head;
    }
  }
  return nullptr;
}

bool shelf_put(Shelf& shelf, Descriptor* head) {
  // What was copied while it grew may have room behind it, which others are to have now.
  if (head->regions > Shelf::kLongest || head->large.copied_at != 0) return false;
  const std::size_t bytes = head->large.bytes;
  if (HAK_UNLIKELY(shelf.bytes + bytes > shelf.most) && !make_room(shelf, bytes)) return false;
  set_id(head, kRegionFreed);
  head->large.next = shelf.spans[head->regions];
  shelf.spans[head->regions] = head;
  shelf.bytes += bytes;
  return true;
}

void shelf_tidy(Shelf& shelf) { give_back_all_but(shelf, shelf.wanted); }

void shelf_clear(Shelf& shelf) { give_back_all_but(shelf, 0); }

void large_span_free(Descriptor* head, bool zero) {
  count_large(0 - head->large.bytes);
  tiny_region_id_write_header(head, kRegionUnused, kRegionUnused);
  span_free(head, zero);
}

}  // namespace hakmem
