#include "hakmem/front/shelf.hpp"

#include <algorithm>
#include <utility>

#include "hakmem/arena/spans.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/front/states.hpp"
#include "hakmem/front/thread.hpp"
#include "hakmem/heap/holes.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/os/system.hpp"

namespace hakmem {
namespace {

constexpr std::uint32_t kVisitsPerHelp = 16;
constexpr std::uint32_t kVisitsPerTidying = 64;  // of a full one
constexpr unsigned kMostMoved = 16;              // of a length, at once
// So much is worth that the thread comes to the slow door for it.
constexpr std::size_t kWorthComing = std::size_t{1} << 20;

// Shelves that hold something, or may. A hint.
constinit std::atomic<std::uint32_t> shelves{0};

// What is passed on, up to a cache's budget; under the states' lock. Emptied with others' shelves.
constinit Shelf passed_on{};
constinit std::atomic<std::uint32_t> passed_on_lengths{0};  // bit n: n regions are; a hint

struct Inside {
  // Acquire: what whoever was here before did is seen. Release: and what is done now.
  explicit Inside(Shelf& s)
      : shelf(s), entered(!s.taken.exchange(true, std::memory_order_acquire)) {}
  ~Inside() {
    if (entered) shelf.taken.store(false, std::memory_order_release);
  }
  Inside(const Inside&) = delete;
  Shelf& shelf;
  const bool entered;
};

std::size_t bytes_on(const Shelf& shelf) { return shelf.bytes.load(std::memory_order_relaxed); }

// Relaxed: the object was handed out, or will be, by something that orders this.
void set_id(const Descriptor* head, RegionId id) {
  arena_of(head).id(region_of(head)).store(id, std::memory_order_relaxed);
}

// Neither a shelf nor what is passed on holds anything: nobody needs the clock for them. A hint.
bool all_empty() { return shelves.load(std::memory_order_relaxed) + bytes_on(passed_on) == 0; }

// From here on to the next comment the caller is inside.

void push(Shelf& shelf, Descriptor* head) {
  head->large.next = shelf.spans[head->regions];
  shelf.spans[head->regions] = head;
  shelf.bytes.store(bytes_on(shelf) + head->large.bytes, std::memory_order_relaxed);
}

Descriptor* pop(Shelf& shelf, std::size_t regions) {
  Descriptor* head = shelf.spans[regions];
  if (head == nullptr) return nullptr;
  shelf.spans[regions] = head->large.next;
  shelf.bytes.store(bytes_on(shelf) - head->large.bytes, std::memory_order_relaxed);
  return head;
}

// Bit n: a span of n regions lies there.
std::uint32_t lengths_on(const Shelf& shelf) {
  std::uint32_t lengths = 0;
  for (std::size_t n = 1; n <= Shelf::kLongest; ++n) {
    lengths |= std::uint32_t{shelf.spans[n] != nullptr} << n;
  }
  return lengths;
}

// A few of each length, while there are less than `most` bytes: others wait for the lock.
void move(Shelf& from, std::uint32_t lengths, Shelf& to, std::size_t most) {
  for (; lengths != 0; lengths &= lengths - 1) {
    const unsigned n = lowest_bit(lengths);
    for (unsigned i = 0; i < kMostMoved && from.spans[n] != nullptr; ++i) {
      if (bytes_on(to) + from.spans[n]->large.bytes > most) break;
      push(to, pop(from, n));
    }
  }
}

void give_back_all_but(Shelf& shelf, std::uint32_t kept) {
  for (std::size_t n = 1; n <= Shelf::kLongest; ++n) {
    if ((kept >> n & 1) != 0) continue;
    while (Descriptor* head = pop(shelf, n)) large_span_free(head);
  }
  shelf.wanted_before = std::exchange(shelf.wanted, 0);
  shelf.tidied_at = shelf.visits;
  if (bytes_on(shelf) != 0 || shelf.most == 0) return;
  shelves.fetch_sub(1, std::memory_order_relaxed);
  cache_release(shelf.most);
}

bool grow(Shelf& shelf, std::size_t bytes) {
  // Budgets are divided by the number of heaps: who has none would have one for itself.
  if ((lengths_on(shelf) & ~shelf.wanted) != 0 || !thread_take_heap()) return false;
  const bool is_first = shelf.most == 0;
  if (!cache_reserve(shelf.most, bytes)) return false;
  if (is_first) {
    shelves.fetch_add(1, std::memory_order_relaxed);
    shelf.looked_at = os::coarse_milliseconds();
  }
  return true;
}

// What was not wanted here of late, for other threads if there are any.
void pass_on(Shelf& shelf, std::size_t bytes) {
  const std::uint32_t unwanted = lengths_on(shelf) & ~(shelf.wanted | shelf.wanted_before);
  if (unwanted == 0 || heap_count() - parked_count() < 2) return;
  if (bytes_on(passed_on) + bytes > config::cache_budget()) return;
  const os::Locked locked(states_lock());
  move(shelf, unwanted, passed_on, config::cache_budget());
  passed_on_lengths.store(lengths_on(passed_on), std::memory_order_relaxed);
}

// And more that will be wanted next, so that few of the next objects come by here.
Descriptor* take_passed_on(Shelf& shelf, std::size_t regions, std::size_t longest) {
  const std::uint32_t fitting = (2U << longest) - (1U << regions);
  if ((passed_on_lengths.load(std::memory_order_relaxed) & fitting) == 0) return nullptr;
  if (bytes_on(shelf) + bytes_on(passed_on) > shelf.most) grow(shelf, 0);
  const os::Locked locked(states_lock());
  Descriptor* head = nullptr;
  for (std::size_t n = regions; n <= longest && head == nullptr; ++n) head = pop(passed_on, n);
  move(passed_on, shelf.wanted | shelf.wanted_before, shelf, shelf.most);
  passed_on_lengths.store(lengths_on(passed_on), std::memory_order_relaxed);
  return head;
}

// A full shelf grows where all of it is wanted, and else is tidied now and then.
HAK_NOINLINE bool make_room(Shelf& shelf, std::size_t bytes) {
  if (config::limit() != 0 || config::purge_delay() == 0) return false;
  if (!grow(shelf, bytes)) {
    pass_on(shelf, bytes);
    if (shelf.visits - shelf.tidied_at >= kVisitsPerTidying) give_back_all_but(shelf, shelf.wanted);
  }
  return bytes_on(shelf) + bytes <= shelf.most;
}

// ---- others' shelves ---------------------------------------------------------------------------
// Empties the shelves that are due. Called with the states' lock, let go before spans go back.
template <typename Due>
void empty_where(Due due) {
  Descriptor* taken = nullptr;
  const auto empty = [&taken](Shelf& shelf) {
    for (std::size_t n = 1; n <= Shelf::kLongest; ++n) {
      while (Descriptor* head = pop(shelf, n)) {
        head->large.next = taken;
        taken = head;
      }
    }
  };
  empty(passed_on);
  passed_on_lengths.store(0, std::memory_order_relaxed);
  for (ThreadState* state = states_first(); state != nullptr; state = state->next) {
    if (bytes_on(state->shelf) == 0) continue;
    const Inside inside(state->shelf);
    if (inside.entered && due(state->shelf)) empty(state->shelf);
  }
  states_lock().unlock();
  while (Descriptor* head = taken) {
    taken = head->large.next;
    large_span_free(head);
  }
}

}  // namespace

void shelf_visit(Shelf& shelf) {
  if (++shelf.visits % kVisitsPerHelp != 0) return;
  // A program that lives on large objects alone should see what waits in heaps, too.
  help_another();
  cache_tick();
}

Descriptor* shelf_take(Shelf& shelf, std::size_t regions) {
  if (regions > Shelf::kLongest) return nullptr;
  shelf.wanted |= 1u << regions;
  if (shelf.most == 0 && bytes_on(passed_on) == 0) return nullptr;
  const std::size_t longest = std::min(regions + regions / 4, Shelf::kLongest);
  const Inside inside(shelf);
  if (!inside.entered) return nullptr;
  Descriptor* head = nullptr;
  for (std::size_t n = regions; n <= longest && head == nullptr; ++n) {
    shelf.wanted |= 1u << n;
    head = pop(shelf, n);
  }
  if (head == nullptr) head = take_passed_on(shelf, regions, longest);
  if (head != nullptr) set_id(head, kRegionLarge);
  return head;
}

bool shelf_put(Shelf& shelf, Descriptor* head) {
  // What was copied while it grew may have room behind it, which others are to have now.
  if (head->regions > Shelf::kLongest || head->large.copied_at != 0) return false;
  const Inside inside(shelf);
  if (!inside.entered) return false;
  const std::size_t bytes = head->large.bytes;
  if (HAK_UNLIKELY(bytes_on(shelf) + bytes > shelf.most) && !make_room(shelf, bytes)) return false;
  set_id(head, kRegionFreed);
  push(shelf, head);
  return true;
}

std::uint64_t shelf_tick(Shelf& shelf) {
  const std::uint64_t tick = memory_tick();
  if (all_empty()) return tick;
  const std::uint64_t now = tick != 0 ? tick : os::coarse_milliseconds();
  if (shelf.most != 0 && now - shelf.looked_at >= config::purge_delay()) {
    if (const Inside inside(shelf); inside.entered) {
      shelf.looked_at = now;
      give_back_all_but(shelf, shelf.wanted);
    }
  }
  shelves_tick(now);
  return bytes_on(shelf) + bytes_on(passed_on) >= kWorthComing ? now : tick;
}

std::size_t shelf_passed_on_bytes() { return bytes_on(passed_on); }

void shelf_clear(Shelf& shelf) {
  if (shelf.most == 0) return;  // as of most threads that end
  {
    // Others are inside only while they hold this lock. Release and acquire: by the lock.
    const os::Locked locked(states_lock());
    shelf.taken.store(true, std::memory_order_relaxed);
  }
  give_back_all_but(shelf, 0);
  shelf.taken.store(false, std::memory_order_release);
}

void shelves_tick(std::uint64_t now) {
  // Two may come at once, and one of them finds the lock held.
  static constinit std::atomic<std::uint64_t> looked_at{0};
  if (all_empty()) return;
  if (now - looked_at.load(std::memory_order_relaxed) < config::purge_delay()) return;
  if (!states_lock().try_lock()) return;
  looked_at.store(now, std::memory_order_relaxed);
  empty_where([now](const Shelf& shelf) {
    return now > shelf.looked_at && (now - shelf.looked_at) / 2 >= config::purge_delay();
  });
}

void shelves_clear() {
  states_lock().lock();
  empty_where([](const Shelf&) { return true; });
}

void large_span_free(Descriptor* head, bool zero) {
  count_large(0 - head->large.bytes);
  tiny_region_id_write_header(head, kRegionUnused, kRegionUnused);
  span_free(head, zero);
}

}  // namespace hakmem
