#include "hakmem/heap/holes.hpp"

#include <algorithm>

#include "hakmem/arena/spans.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/os/memory.hpp"
#include "hakmem/os/system.hpp"
#include "hakmem/slab/pages.hpp"

namespace hakmem {
namespace {

// What a millisecond that passed allows: about a hundredth of it for looking, a tenth for
// giving back. No visit pays for more than kMostMilliseconds.
constexpr std::size_t kRegionsPerMillisecond = 128;
constexpr std::size_t kSlabsPerMillisecond = 24;
constexpr std::uint64_t kMostMilliseconds = 10;
// Without any delay (lean) the hand would go round all the time.
constexpr std::uint64_t kLeastPeriod = 10;
// A delay beyond that is for ever: the sum of a time and a period must not wrap around.
constexpr std::uint64_t kMostPeriod = std::uint64_t{1} << 40;

// A smaller heap is not worth that threads come here for it.
constexpr std::size_t kWorthComing = (std::size_t{16} << 20) >> kRegionShift;

// Hints for those who do not move the hand: relaxed.
constinit std::atomic<bool> returned{false};        // since the last round began
constinit std::atomic<bool> under_way{false};       // a round, or the next is wanted in any case
constinit std::atomic<std::uint64_t> next_step{0};  // in coarse milliseconds
constinit std::atomic<std::uint32_t> rounds{0};

// Who moves the hand. Nobody waits for it.
constinit std::atomic<bool> taken{false};

// The rest belongs to who has taken the hand.
struct Hand {
  std::size_t arena;
  std::size_t region;
  std::size_t end;      // of the arena, when the hand came to it
  std::uint64_t began;  // the round
  std::uint64_t moved;  // the hand, the last time
  bool running;
  bool again;  // some slabs began to rest, or could not be looked at
};
constinit Hand hand{};

std::uint64_t period() {
  return std::clamp<std::uint64_t>(config::purge_delay(), kLeastPeriod, kMostPeriod);
}

// The door of the heap whose slab was looked at last: slabs of a heap lie together.
class Visitor {
 public:
  Visitor() = default;
  ~Visitor() { let_go(); }
  Visitor(const Visitor&) = delete;

  // The heap that has the slab, its door held; null: none has, or somebody is inside.
  Heap* enter(const Descriptor* slab) {
    // Acquire: the heap is seen whole.
    const std::uint32_t owner = slab->owner.load(std::memory_order_acquire);
    if (owner == 0) return nullptr;
    if (heap_ == nullptr || heap_->id != owner) {
      let_go();
      Heap* heap = heap_by_id(owner);
      if (!heap->door.try_lock()) {
        missed_ = true;
        return nullptr;
      }
      heap_ = heap;
    }
    // What is ours can change only under our door.
    return slab->owner.load(std::memory_order_relaxed) == heap_->id ? heap_ : nullptr;
  }

  void let_go() {
    if (heap_ != nullptr) leave(heap_);
    heap_ = nullptr;
  }

  bool missed() const { return missed_; }

 private:
  Heap* heap_ = nullptr;
  bool missed_ = false;
};

// A page's worth of objects came back to it.
bool has_something(const Descriptor* slab) {
  return slab->slab.free * std::size_t{class_of(slab).size} >= os::page_size();
}

// What the hand does with a slab. True: that took system calls.
bool look_at(Heap* heap, Descriptor* slab) {
  const bool at_once = config::purge_delay() == 0;
  if (slab->slab.rest == Rest::busy && (has_something(slab) || slab_is_empty(slab))) {
    slab->slab.rest = Rest::resting;
    hand.again = true;
    if (!at_once) return false;
  }
  if (slab->slab.rest != Rest::resting) return false;
  if (slab_is_empty(slab)) {
    heap_free_slab(heap, slab);
    return true;
  }
  slab->slab.rest = Rest::done;
  config::delay_point();
  return slab_give_back(slab) != 0;
}

// Moves the hand over at most so many regions and giving slabs. True: the round is over.
bool move(std::size_t regions, std::size_t slabs) {
  Visitor visitor;
  const std::size_t arena_limit = arena_count.load(std::memory_order_acquire);  // they are complete
  bool over = false;
  while (regions > 0 && slabs > 0) {
    if (hand.region == hand.end) {
      over = hand.arena + 1 >= arena_limit;
      if (over) break;
      visitor.let_go();
      hand.region = 0;
      hand.end = spans_frontier(++hand.arena);
      continue;
    }
    Descriptor* slab = arenas[hand.arena].descriptor(hand.region++);
    --regions;
    Heap* heap = visitor.enter(slab);
    if (heap == nullptr || !look_at(heap, slab)) continue;
    --slabs;
    visitor.let_go();  // its owner may be waiting
  }
  hand.again |= visitor.missed();
  return over;
}

void begin_round(std::uint64_t now) {
  returned.store(false, std::memory_order_relaxed);
  under_way.store(true, std::memory_order_relaxed);
  rounds.fetch_add(1, std::memory_order_relaxed);
  hand = {0, 0, spans_frontier(0), now, hand.moved, true, false};
}

void end_round() {
  hand.running = false;
  under_way.store(hand.again, std::memory_order_relaxed);
  next_step.store(hand.began + period(), std::memory_order_relaxed);
}

// The caller has taken the hand, and may work as much as so many milliseconds allow.
void step(std::uint64_t now, std::uint64_t passed) {
  if (!hand.running) begin_round(now);
  hand.moved = now;
  next_step.store(now + 1, std::memory_order_relaxed);
  if (move(passed * kRegionsPerMillisecond, passed * kSlabsPerMillisecond)) end_round();
}

bool is_wanted() {
  return returned.load(std::memory_order_relaxed) || under_way.load(std::memory_order_relaxed);
}

bool take_hand() { return !taken.exchange(true, std::memory_order_acquire); }
void put_hand_down() { taken.store(false, std::memory_order_release); }  // the next sees it all

}  // namespace

void note_returned() {
  if (!returned.load(std::memory_order_relaxed)) returned.store(true, std::memory_order_relaxed);
}

bool memory_waits() { return spans_waiting() || is_wanted(); }

std::uint64_t memory_tick() {
  const bool spans_wait = spans_waiting();
  if (!spans_wait && !is_wanted()) return 0;
  const std::uint64_t now = os::coarse_milliseconds();
  if (spans_wait) spans_tick(now);
  if (is_wanted() && now >= next_step.load(std::memory_order_relaxed) && take_hand()) {
    // Another may have moved it on meanwhile.
    if (now >= next_step.load(std::memory_order_relaxed)) {
      step(now, std::clamp<std::uint64_t>(now - hand.moved, 1, kMostMilliseconds));
    }
    put_hand_down();
  }
  return regions_ever_used.load(std::memory_order_relaxed) >= kWorthComing ? now : 0;
}

void holes_finish_round() {
  while (is_wanted() && take_hand()) {
    const std::uint64_t now = os::coarse_milliseconds();
    const bool due = hand.running || now >= next_step.load(std::memory_order_relaxed);
    if (due) step(now, kMostMilliseconds);
    const bool over = !hand.running;
    put_hand_down();
    if (over) return;
  }
}

std::size_t holes_punch_all() {
  std::size_t bytes = 0;
  Visitor visitor;
  const std::size_t count = arena_count.load(std::memory_order_acquire);  // they are complete
  for (std::size_t a = 0; a < count; ++a) {
    visitor.let_go();
    const std::size_t end = spans_frontier(a);
    for (std::size_t region = 0; region < end; ++region) {
      Descriptor* slab = arenas[a].descriptor(region);
      if (visitor.enter(slab) == nullptr || slab->slab.rest > Rest::resting) continue;
      bytes += slab_give_back(slab);
      // Nothing is to be found here until objects come back. One that is empty the hand may want.
      if (slab->slab.rest == Rest::busy && !slab_is_empty(slab)) slab->slab.rest = Rest::trimmed;
    }
  }
  return bytes;
}

std::uint32_t holes_round() { return rounds.load(std::memory_order_relaxed); }

void holes_reset() {
  hand = {};
  under_way.store(true, std::memory_order_relaxed);
  next_step.store(0, std::memory_order_relaxed);
  taken.store(false, std::memory_order_relaxed);
}

}  // namespace hakmem
