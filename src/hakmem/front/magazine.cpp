#include "hakmem/front/magazine.hpp"

#include <string.h>

#include <algorithm>
#include <utility>

#include "hakmem/base/fatal.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/front/states.hpp"
#include "hakmem/front/thread.hpp"
#include "hakmem/heap/holes.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/heap/shared.hpp"

namespace hakmem {
namespace {

constexpr unsigned kFirstCapacity = 15, kMostCapacity = 2047;
// A refill brings so many objects and bytes of them at most: enough to pay for the visit.
constexpr unsigned kMostBatch = 64;
constexpr std::size_t kMostBatchBytes = std::size_t{32} << 10;
constexpr std::size_t kClassShare = 4;     // one class may have this part of the budget
constexpr std::size_t kReserve = 2;        // what is no array may have this part
constexpr std::size_t kFirstReserve = 16;  // and begins with this one
constexpr std::uint32_t kFullBudgets = 2;  // more threads than these share what these would have
// Visits through the slow door from one of these to the next:
constexpr unsigned kVisitsPerTick = 4;     // the clock is read
constexpr unsigned kVisitsPerLook = 16;    // one class is looked at for idleness
constexpr unsigned kVisitsPerFlush = 256;  // what the outbox holds is sent off, full or not

struct Policy {
  unsigned first_capacity, first_batch, most_batch;
};

// C7 ULTRA starts with larger batches than its size would give it.
constexpr Policy policy_of(unsigned c) {
  const std::size_t size = kSizeClasses[c].size;
  const bool ultra = c >= kFirstC7Class && c <= kLastC7Class;
  const unsigned few = size <= kMaxShort ? 3 : 1;
  const unsigned capacity = size <= 2048 ? kFirstCapacity : size <= 8192 ? 7 : few;
  const unsigned batch = ultra || size <= 512 ? 8 : std::max(capacity / 2, 1U);
  const unsigned most = std::min(kMostBatch, static_cast<unsigned>(kMostBatchBytes / size));
  return {capacity, batch, std::max(batch, most)};
}

Magazine& magazine_of(unsigned slot) { return cache.thread->magazines[class_of_slot(slot)]; }

std::size_t bytes_of(unsigned capacity) { return (capacity + 1) * sizeof(void*); }

// The magazine's array with `count` objects in it.
void point_cache_at(unsigned slot, const Magazine& m, unsigned count) {
  cache.words[slot] = m.words + count;
  cache.words[slot + kLimit] = m.words + m.capacity;
}

// ---- tripwires ---------------------------------------------------------------------------------
// A thread whose cache serves all it does would never come to the slow door, and nobody would give
// back what was freed before. So while memory waits, tripwires lie in the arrays: at a null among
// the pointers malloc turns to the slow door, at a limit that is the top free does. Meeting one and
// laying it again takes 22 ns: so often until all are laid anew; or few times, then many visits.
constexpr unsigned kMostTrips = 128u << 10;
constexpr unsigned kFewTrips = 2048;
constexpr unsigned kManyVisits = 16;
constexpr std::uint64_t kWireMilliseconds = 64;
// Of a class of which objects are only freed a wire is kept on top, for a few nanoseconds a free:
// buried, it would never be met by a program that then takes and frees one object again and again.
// Such an array is emptied at each visit from so many objects on, so that it keeps few pages; large
// arrays, and so few visits, make up for some of the price.
constexpr unsigned kDrainingObjects = 63;
constexpr unsigned kRaisedPlaces = 1023;
// In larger heaps all wires are kept on top.
constexpr std::size_t kWorthRaising = (std::size_t{128} << 20) >> kRegionShift;

unsigned held(unsigned slot, const Magazine& m) {
  return static_cast<unsigned>(cache.words[slot] - m.words);
}

// Whoever works on an array takes up its wires first. True: a null lay there.
bool take_up_wires(Magazine& m, unsigned slot) {
  if (m.words == nullptr) return false;
  cache.words[slot + kLimit] = m.words + m.capacity;
  std::uint16_t& wire = cache.thread->wires[class_of_slot(slot)];
  if (wire == 0) return false;
  if (wire >= kOnTop) wire = static_cast<std::uint16_t>(held(slot, m));
  memmove(m.words + wire, m.words + wire + 1, (held(slot, m) - wire) * sizeof(void*));
  --cache.words[slot];
  wire = 0;
  return true;
}

// Each array, its wires taken up; whether a null lay in it.
template <typename Action>
void for_each_array(Action action) {
  for (unsigned c = 0; c < kClasses; ++c) {
    Magazine& m = cache.thread->magazines[c];
    if (m.words != nullptr) action(m, slot_of_class(c), take_up_wires(m, slot_of_class(c)));
  }
}

// Of more than `most` objects returns those that lie longest in the array.
void keep_newest(Magazine& m, unsigned slot, unsigned most) {
  if (held(slot, m) <= most) return;
  const unsigned count = held(slot, m) - most;
  heap_return(current_heap, m.words + 1, count, cache.thread->outbox);
  memmove(m.words + 1, m.words + 1 + count, most * sizeof(void*));
  cache.words[slot] = m.words + most;
  m.refilled = false;
}

// A null on top; and a limit, on top as well where the null is to stay above what is freed.
void lay_null(Magazine& m, unsigned slot) {
  std::uint16_t& wire = cache.thread->wires[class_of_slot(slot)];
  if (wire != 0) return;
  if (held(slot, m) == m.capacity) keep_newest(m, slot, m.capacity / 2);
  wire = static_cast<std::uint16_t>(held(slot, m) + 1);
  m.words[wire] = nullptr;
  cache.words[slot] = m.words + wire;
  if (m.refilled && regions_ever_used.load(std::memory_order_relaxed) < kWorthRaising) return;
  const unsigned most = m.refilled ? m.capacity : std::min<unsigned>(m.capacity, kRaisedPlaces);
  cache.words[slot + kLimit] = m.words + wire;
  wire = static_cast<std::uint16_t>(kOnTop + std::max<unsigned>(wire, most) - wire);
}

// ---- the size of the arrays --------------------------------------------------------------------
// Words for a first array, from the thread's page while it has room. Long objects have none where
// the budget is small (lean), nor is their one place charged: it would use up many threads' shares.
bool first_array(Magazine& m, unsigned c) {
  ThreadState& t = *cache.thread;
  const SizeClass& k = kSizeClasses[c];
  if (k.is_long() && k.size * kClassShare > config::cache_budget()) return false;
  const Policy policy = policy_of(c);
  const std::size_t words = policy.first_capacity + 1;
  if (t.first_words_used + words <= std::size(t.first_words)) {
    m.words = t.first_words + t.first_words_used;
    t.first_words_used = static_cast<std::uint16_t>(t.first_words_used + words);
  } else {
    m.words = static_cast<void**>(metadata_allocate(words * sizeof(void*)));
    if (m.words == nullptr) return false;
    m.own_block = true;
  }
  m.capacity = static_cast<std::uint16_t>(policy.first_capacity);
  m.batch = static_cast<std::uint16_t>(policy.first_batch);
  if (!k.is_long()) t.budget_used += m.capacity * k.size;
  point_cache_at(slot_of_class(c), m, 0);
  return true;
}

bool has_array(Magazine& m, unsigned c) { return m.words != nullptr || first_array(m, c); }

// Gives the array another capacity, at least what it holds. False: no memory.
bool resize(Magazine& m, unsigned slot, unsigned capacity) {
  auto** words = static_cast<void**>(metadata_allocate(bytes_of(capacity)));
  if (words == nullptr) return false;
  const unsigned count = held(slot, m);
  memcpy(words, m.words, bytes_of(count));
  if (m.own_block) metadata_free(m.words, bytes_of(m.capacity));
  const std::size_t size = kSizeClasses[class_of_slot(slot)].size;
  cache.thread->budget_used += capacity * size - m.capacity * size;
  m.words = words;
  m.capacity = static_cast<std::uint16_t>(capacity);
  m.own_block = true;
  point_cache_at(slot, m, count);
  return true;
}

// Halves the array of the next class, if that has more than four times `bytes`: so shares even out.
void take_from_another(std::size_t bytes) {
  const unsigned c = ++cache.thread->victim % kClasses;
  const unsigned slot = slot_of_class(c);
  Magazine& m = magazine_of(slot);
  if (m.capacity * std::size_t{kSizeClasses[c].size} <= 4 * bytes) return;
  if (m.capacity <= policy_of(c).first_capacity) return;
  take_up_wires(m, slot);
  const unsigned capacity = m.capacity / 2;
  keep_newest(m, slot, capacity);
  resize(m, slot, capacity);
}

// True: the thread may cache `more` bytes, of something that then has `all`.
bool make_room(std::size_t more, std::size_t all, std::size_t most) {
  const ThreadState& t = *cache.thread;
  if (t.budget_used + more > most) take_from_another(all);
  return t.budget_used + more <= most;
}

// Of the calling thread, in bytes of places.
std::size_t budget() {
  // Two hints, read one after the other: the difference may be anything for a moment.
  const std::uint32_t parked = parked_count();
  const std::uint32_t heaps = heap_count();
  const std::uint32_t threads = heaps > parked ? heaps - parked : 1;
  const std::size_t full = config::cache_budget();
  return threads <= kFullBudgets ? full : full * kFullBudgets / threads;
}

// What the next refill asks for.
unsigned batch_of(const Magazine& m, unsigned c) {
  const std::uint64_t fixed = config::carve_batch();
  if (fixed == 0) return m.batch;
  return static_cast<unsigned>(std::min<std::uint64_t>(fixed, policy_of(c).most_batch));
}

// Doubles an array, within the class's bound and the thread's budget.
bool grow(Magazine& m, unsigned slot) {
  const unsigned c = class_of_slot(slot);
  const std::size_t size = kSizeClasses[c].size;
  const unsigned capacity = m.capacity * 2 + 1;
  const std::size_t most = budget();
  if (capacity > kMostCapacity || capacity * size > most / kClassShare) return false;
  const std::size_t more = (capacity - m.capacity) * size;
  return make_room(more, capacity * size, most) && resize(m, slot, capacity);
}

// A class without a visit that holds as much as at the last look halves that, and later its places.
void look_at(unsigned c) {
  const unsigned slot = slot_of_class(c);
  Magazine& m = magazine_of(slot);
  if (m.words == nullptr) return;
  const bool wired = take_up_wires(m, slot);
  const bool idle = !m.visited && held(slot, m) == m.held_before;
  if (idle && m.held_before > 0) {
    keep_newest(m, slot, m.held_before / 2);
  } else if (idle && m.capacity > policy_of(c).first_capacity) {
    resize(m, slot, m.capacity / 2);
    m.batch = static_cast<std::uint16_t>(std::min<unsigned>(m.batch, m.capacity / 2 + 1));
  }
  m.visited = false;
  m.held_before = static_cast<std::uint16_t>(held(slot, m));
  if (wired) lay_null(m, slot);
}

// What a thread that allocates little can do without pins pages, and pages are short.
void shed() {
  for_each_array([](Magazine& m, unsigned slot, bool wired) {
    keep_newest(m, slot, policy_of(class_of_slot(slot)).first_capacity);
    if (wired) lay_null(m, slot);
  });
}

// A wire was met. True: it is to be laid again. Of threads that meet many in the same time only the
// first goes on: with as many for each, 64 threads on two CPUs would do little else.
bool trip() {
  static constinit std::atomic<std::uint64_t> first{0};  // a time and whose heap; a hint: relaxed
  ThreadState& t = *cache.thread;
  if (cache_tick() == 0) return false;
  if (++t.trips % kFewTrips == 0) {
    const std::uint64_t seen = first.load(std::memory_order_relaxed);
    const std::uint64_t mine = (t.wired_at / kWireMilliseconds << 32) + current_heap->id;
    const bool is_first = seen >> 32 < mine >> 32 || (seen ^ mine) << 32 == 0;
    if (is_first) first.store(std::max(seen, mine), std::memory_order_relaxed);
    t.busy |= !is_first || t.trips >= kMostTrips;
  }
  if (!t.busy && !t.was_busy && t.round != holes_round()) {
    t.round = holes_round();
    shed();
  }
  return !t.busy;
}

// The object that malloc gets at a wire; null: the array is empty. The next free meets another.
void* step_over_null(Magazine& m, unsigned slot) {
  if (!take_up_wires(m, slot)) return nullptr;
  void* p = unified_cache_pop(slot);
  if (trip()) cache.words[slot + kLimit] = cache.words[slot];
  return p;
}

// True: free met a wire and the object is in the array. The next malloc meets another.
bool step_over_limit(Magazine& m, unsigned slot, void* p) {
  if (m.words == nullptr || cache.words[slot + kLimit] == m.words + m.capacity) return false;
  take_up_wires(m, slot);
  if (!unified_cache_push(slot, p)) return false;
  if (trip()) lay_null(m, slot);
  return true;
}

// True: memory waits to be given back, and the array should have a wire.
bool note_visit(Magazine& m) {
  m.visited = true;
  ThreadState& t = *cache.thread;
  if (++t.visits % kVisitsPerTick == 0 || (t.trips >= kFewTrips && !t.busy)) cache_tick();
  t.busy |= t.trips >= kFewTrips && ++t.visits_amid >= kManyVisits;
  if (t.visits % kVisitsPerLook == 0) {
    if (t.visits % kVisitsPerFlush == 0) outbox_flush(t.outbox);
    look_at(t.visits / kVisitsPerLook % kClasses);
  }
  return t.waiting && !t.busy;
}

// Objects of the class were only freed since its last flush, and memory waits.
bool is_draining(const Magazine& m, unsigned slot) {
  const ThreadState& t = *cache.thread;
  return t.waiting && !t.busy && !m.refilled && held(slot, m) >= kDrainingObjects;
}

// Starter objects serve until the class is seen to be used, and where there is no memory for more.
bool starts_with(const Magazine& m) {
  return m.words == nullptr && cache.thread->starts && m.starters < kStarterObjects;
}

void* starter_object(Magazine& m, unsigned c) {
  if (m.starters < kStarterObjects) ++m.starters;
  return starter_allocate(cache.thread->turn, c);
}

}  // namespace

std::uint64_t cache_tick() {
  ThreadState& t = *cache.thread;
  const std::uint64_t now = shelf_tick(t.shelf);
  t.waiting = now != 0;
  if (now == 0 || now - t.wired_at < kWireMilliseconds) return now;
  t.wired_at = now;
  t.was_busy = std::exchange(t.busy, false);
  t.trips = 0;
  t.visits_amid = 0;
  for_each_array([](Magazine& m, unsigned slot, bool) { lay_null(m, slot); });
  return now;
}

void* cache_refill(unsigned slot) {
  const unsigned c = class_of_slot(slot);
  Magazine& m = magazine_of(slot);
  if (void* p = step_over_null(m, slot)) return p;
  if (starts_with(m) || !thread_take_heap()) return starter_object(m, c);
  if (!has_array(m, c)) {
    note_visit(m);
    void* one[1];
    return heap_refill(current_heap, kSizeClasses[c], one + 1, 1) == 1 ? one[0] : nullptr;
  }
  const bool memory_waits = note_visit(m);
  take_up_wires(m, slot);
  const unsigned batch = batch_of(m, c);
  if (batch > m.capacity / 2U + 1) grow(m, slot);
  const unsigned wanted = std::min<unsigned>(batch, m.capacity / 2 + 1);
  m.batch = static_cast<std::uint16_t>(std::min(wanted * 2, policy_of(c).most_batch));
  void** end = m.words + 1 + wanted;
  const unsigned got = heap_refill(current_heap, kSizeClasses[c], end, wanted);
  if (got == 0) return nullptr;
  if (got < wanted) memmove(m.words + 1, end - got, got * sizeof(void*));
  m.refilled = true;
  void* p = m.words[got];
  cache.words[slot] = m.words + got - 1;
  if (memory_waits) cache.words[slot + kLimit] = cache.words[slot];
  return p;
}

void cache_overflow(unsigned slot, void* p) {
  const unsigned c = class_of_slot(slot);
  Magazine& m = magazine_of(slot);
  if (config::check_top() != 0) {
    // Where a wire lies on top, what was freed last lies below it.
    void** last = cache.words[slot] - (cache.thread->wires[c] >= kOnTop ? 1 : 0);
    if (*last == p) fatal_pointer("double free of", p, kSizeClasses[c].size);
  }
  if (!has_array(m, c)) return heap_return(current_heap, &p, 1, cache.thread->outbox);
  if (!is_draining(m, slot) && step_over_limit(m, slot, p)) return;
  const bool memory_waits = note_visit(m);
  take_up_wires(m, slot);
  if (is_draining(m, slot)) {
    keep_newest(m, slot, 0);
  } else if (held(slot, m) == m.capacity) {
    const bool grown = m.refilled && grow(m, slot);
    if (!grown) keep_newest(m, slot, m.capacity / 2);
  }
  unified_cache_push(slot, p);
  if (memory_waits) lay_null(m, slot);
}

bool cache_reserve(std::size_t& reserved, std::size_t least) {
  const std::size_t most = budget();
  const std::size_t more = reserved != 0 ? reserved : most / kFirstReserve;
  if (std::max(reserved + more, least) > most / kReserve || more == 0) return false;
  if (!make_room(more, more, most)) return false;
  reserved += more;
  cache.thread->budget_used += more;
  return true;
}

void cache_release(std::size_t& bytes) { cache.thread->budget_used -= std::exchange(bytes, 0); }

void cache_keep_newest(std::size_t most) {
  std::size_t bytes = 0;
  for_each_array([&](Magazine& m, unsigned slot, bool) {
    bytes += std::size_t{held(slot, m)} * kSizeClasses[class_of_slot(slot)].size;
  });
  if (bytes <= most) return;
  for_each_array([=](Magazine& m, unsigned slot, bool) {
    keep_newest(m, slot, static_cast<unsigned>(held(slot, m) * most / bytes));
  });
}

void cache_flush_all() {
  cache_keep_newest(0);
  outbox_flush(cache.thread->outbox);
  shelf_clear(cache.thread->shelf);
}

void cache_put_away() {
  outbox_flush(cache.thread->outbox);
  shelf_clear(cache.thread->shelf);
  const os::Locked locked(states_lock());
  cache.thread->of = nullptr;
  for (unsigned c = 0; c < kClasses; ++c) {
    const unsigned slot = slot_of_class(c);
    Magazine& m = magazine_of(slot);
    take_up_wires(m, slot);
    if (m.words != nullptr) m.held_before = static_cast<std::uint16_t>(held(slot, m));
    cache.words[slot] = cache.words[slot + kLimit] = const_cast<void**>(hakmem_empty_array);
  }
}

void cache_take_out() {
  for (unsigned c = 0; c < kClasses; ++c) {
    const Magazine& m = cache.thread->magazines[c];
    if (m.words != nullptr) point_cache_at(slot_of_class(c), m, m.held_before);
  }
}

void magazines_release(ThreadState& state, Heap* heap) {
  for (Magazine& m : state.magazines) {
    if (m.words != nullptr && m.held_before > 0) {
      heap_return(heap, m.words + 1, m.held_before, state.outbox);
    }
    if (m.own_block) metadata_free(m.words, bytes_of(m.capacity));
  }
  outbox_flush(state.outbox);
}

}  // namespace hakmem
