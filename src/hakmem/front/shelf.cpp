#include "hakmem/front/shelf.hpp"

#include <algorithm>

#include "hakmem/arena/spans.hpp"
#include "hakmem/front/magazine.hpp"
#include "hakmem/heap/registry.hpp"

namespace hakmem {
namespace {

constexpr std::uint32_t kVisitsPerTidying = 64;  // of a full one

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

// A full shelf grows where all of it is wanted, and else is tidied now and then.
HAK_NOINLINE bool make_room(Shelf& shelf, std::size_t bytes) {
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
  if (head->regions > Shelf::kLongest) return false;
  ++shelf.visits;
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
