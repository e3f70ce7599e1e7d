// What a heap gets from others before it takes new memory: from those parked, and from sleepers.

#include <algorithm>

#include "hakmem/config/options.hpp"
#include "hakmem/heap/heap.hpp"
#include "hakmem/heap/registry.hpp"
#include "hakmem/os/system.hpp"

namespace hakmem {
namespace {

// Heaps looked at for each new slab: a bound on the time it takes; the next slab goes on there.
constexpr std::uint32_t kLooks = 8;
// Between two looks at whether the owner is at work so many regions are pushed, if slabs are long.
constexpr std::uint32_t kPatience = 32;
constexpr std::uint32_t kIdleMilliseconds = 8;

// Which heap is looked at next. Threads may skip or repeat one: relaxed.
constinit std::atomic<std::uint32_t> turn{0};

Heap* heap_in_turn() { return heap_by_id(1 + turn.load(std::memory_order_relaxed) % heap_count()); }

void move_on() { turn.store(turn.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }

// The caller holds both doors.
Descriptor* take_over(Heap* heap, Heap* other, unsigned c) {
  heap_drain_any(other, kDrainAll);
  Descriptor* slab = other->bins[c].fullest();
  if (slab == nullptr) return nullptr;
  config::delay_point();
  other->bins[c].remove(slab);
  slab_change_owner(slab, heap->id);
  heap->bins[c].add(slab);
  return slab;
}

// The owner has not visited for a while. (An owner that merely waits for the caller must not be
// taken for idle: to do its work would slow the caller, and make it wait longer.)
bool is_idle(Heap* heap) {
  const std::uint32_t visits = heap->visits.load(std::memory_order_relaxed);
  if (heap->visits_seen.load(std::memory_order_relaxed) != visits) {
    heap->visits_seen.store(visits, std::memory_order_relaxed);
    heap->seen_at.store(heap->visited_at.load(std::memory_order_relaxed),
                        std::memory_order_relaxed);
  }
  const auto now = static_cast<std::uint32_t>(os::coarse_milliseconds());
  return now - heap->seen_at.load(std::memory_order_relaxed) >= kIdleMilliseconds;
}

// Whoever pushes to the heap of a thread may rely on that.
bool has_no_thread(const Heap* heap) { return is_parked(heap) || is_shared(heap->id); }

}  // namespace

Descriptor* heap_adopt(Heap* heap, unsigned c) {
  // All objects of a shared heap end with it: it must not hold others'.
  if (is_shared(heap->id)) return nullptr;
  const std::uint32_t count = heap_count();
  if (count == 1) return nullptr;
  const bool shares_lines = kSizeClasses[c].size % kCacheLine != 0;
  for (unsigned look = 0; look < std::min(count, kLooks); ++look) {
    move_on();
    Heap* other = heap_in_turn();
    if (other == heap) continue;
    // A cache that waits with its heap for the next thread holds objects of these slabs: where
    // they are not made of whole lines, two threads would write to the same ones.
    if (!is_parked(other) || (shares_lines && other->kept.load(std::memory_order_relaxed))) {
      help_waiting(other);
      continue;
    }
    if (!other->door.try_lock()) continue;
    // Should a thread have taken the heap by now it does no harm: the slab changes hands under the
    // door, and what the thread may hold of it is freed to the new owner.
    Descriptor* slab = take_over(heap, other, c);
    leave(other);
    if (slab != nullptr) return slab;
  }
  return nullptr;
}

void help(Heap* heap, unsigned c) {
  if (heap->door.try_lock()) {
    // An owner will come and do the rest itself.
    const unsigned most = is_parked(heap) ? kDrainAll : kDrainHelping;
    heap_drain_any(heap, most - heap_drain(heap, c, most));
    return leave(heap);
  }
  // Its holder, or an owner interrupted inside, does what is to be done; others can wait.
  heap->seen_at.store(static_cast<std::uint32_t>(os::coarse_milliseconds()),
                      std::memory_order_relaxed);
}

bool is_pending(const Heap* heap) {
  const auto is_filled = [](const auto& l) { return l.load(std::memory_order_seq_cst) != nullptr; };
  return waiting_slabs(heap) != 0 &&
         std::any_of(std::begin(heap->pending), std::end(heap->pending), is_filled);
}

void leave(Heap* heap) {
  heap->door.unlock();
  while (has_no_thread(heap) && is_pending(heap) && heap->door.try_lock()) {
    heap_drain_any(heap, kDrainAll);
    heap->door.unlock();
  }
}

bool help_waiting(Heap* heap) {
  if (waiting_slabs(heap) == 0 || !(is_parked(heap) || is_idle(heap))) return false;
  help(heap, 0);
  return true;
}

bool help_another() {
  if (heap_count() <= 1) return false;
  // One that needs more help is looked at again.
  const bool helped = help_waiting(heap_in_turn());
  if (!helped) move_on();
  return helped;
}

void help_after_push(Heap* heap, const SizeClass& k) {
  const unsigned c = class_of_slot(k.slot);
  if (is_parked(heap)) return help(heap, c);
  const std::uint32_t pushes = heap->pushes.load(std::memory_order_relaxed);
  if (pushes % (kPatience / k.regions) == 0 && is_idle(heap)) help(heap, c);
}

}  // namespace hakmem
