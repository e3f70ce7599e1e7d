#include "hakmem/heap/registry.hpp"

#include "hakmem/arena/spans.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/heap/holes.hpp"
#include "hakmem/heap/shared.hpp"

namespace hakmem {

constinit thread_local Heap* current_heap HAK_TLS_MODEL = nullptr;

namespace {

// Ids are found in two steps; leaves are made when needed and stay.
constexpr std::uint32_t kLeafSize = 512;
constexpr std::uint32_t kLeaves = 2 * kFirstSharedHeap / kLeafSize;
using Leaf = std::atomic<Heap*>[kLeafSize];

// Heaps that nobody has. The count is a hint for those who do not hold the lock: relaxed.
struct Parked {
  Heap* first;
  std::atomic<std::uint32_t> count;
};

// One kind of heap: a range of ids, and its parked heaps, those with a cache apart.
struct Kind {
  std::uint32_t first_id;
  std::atomic<std::uint32_t> count;
  Parked bare;
  Parked kept;
};

// Protects what follows; held for a few instructions.
constinit os::Lock lock{os::LockKind::registry};
constinit std::atomic<Leaf*> leaves[kLeaves]{};
constinit Kind threads{1, 0, {}, {}};
constinit Kind shared{kFirstSharedHeap, 0, {}, {}};

// Of large objects, by threads without a heap; the others count in their own. Relaxed: a sum.
constinit std::atomic<std::size_t> large_bytes_elsewhere{0};

Kind& kind_of(const Heap* heap) { return is_shared(heap->id) ? shared : threads; }

// From here on to the next comment the caller holds the lock.

Heap* make_heap(Kind& kind) {
  const std::uint32_t index = kind.count.load(std::memory_order_relaxed);
  if (index == kMostHeaps) return nullptr;
  const std::uint32_t id = kind.first_id + index;
  Leaf* leaf = leaves[id / kLeafSize].load(std::memory_order_relaxed);
  if (leaf == nullptr) {
    leaf = static_cast<Leaf*>(metadata_allocate(sizeof(Leaf)));
    if (leaf == nullptr) return nullptr;
    leaves[id / kLeafSize].store(leaf, std::memory_order_release);
  }
  auto* heap = static_cast<Heap*>(metadata_allocate(sizeof(Heap)));
  if (heap == nullptr) return nullptr;
  heap->id = id;
  // Release, all three: whoever finds the heap by its id sees it whole.
  (*leaf)[id % kLeafSize].store(heap, std::memory_order_release);
  kind.count.store(index + 1, std::memory_order_release);
  return heap;
}

void list_parked(Heap* heap) {
  Kind& kind = kind_of(heap);
  Parked& list = heap->kept.load(std::memory_order_relaxed) != nullptr ? kind.kept : kind.bare;
  heap->next_parked = list.first;
  list.first = heap;
  list.count.fetch_add(1, std::memory_order_relaxed);
}

Heap* unpark(Parked& list) {
  Heap* heap = list.first;
  if (heap == nullptr) return nullptr;
  list.first = heap->next_parked;
  heap->parked.store(false, std::memory_order_relaxed);  // seen late: its new owner gets help
  list.count.fetch_sub(1, std::memory_order_relaxed);
  return heap;
}

Heap* unpark(Kind& kind) {
  Heap* heap = unpark(kind.kept);
  return heap != nullptr ? heap : unpark(kind.bare);
}

Heap* take(Kind& kind) {
  Heap* heap = unpark(kind);
  return heap != nullptr ? heap : make_heap(kind);
}

}  // namespace

// Here nobody holds it.

Heap* heap_by_id(std::uint32_t id) {
  Leaf* leaf = leaves[id / kLeafSize].load(std::memory_order_acquire);
  return (*leaf)[id % kLeafSize].load(std::memory_order_acquire);
}

std::uint32_t heap_count() { return threads.count.load(std::memory_order_acquire); }
std::uint32_t shared_heap_count() { return shared.count.load(std::memory_order_acquire); }
std::uint32_t kept_count() { return threads.kept.count.load(std::memory_order_relaxed); }

std::uint32_t parked_count() {
  return kept_count() + threads.bare.count.load(std::memory_order_relaxed);
}

Heap* heap_acquire() {
  const os::Locked locked(lock);
  return take(threads);
}

Heap* heap_acquire_parked() {
  if (parked_count() == 0) return nullptr;
  const os::Locked locked(lock);
  return unpark(threads);
}

Heap* shared_heap_open() {
  const os::Locked locked(lock);
  return take(shared);
}

void registry_park(Heap* heap) {
  // Sequentially consistent, as are the count of a push, the push and the pusher's look at the
  // flag, and the looks at count and lists when the door is left: the pusher finds the heap parked,
  // or its push is found here. Who finds a parked heap's door shut relies on its holder's look.
  heap->parked.store(true, std::memory_order_seq_cst);
  leave(heap);
  config::delay_point();
  const os::Locked locked(lock);
  list_parked(heap);
}

void count_large(std::size_t bytes) {
  Heap* heap = current_heap;
  if (HAK_UNLIKELY(heap == nullptr)) {
    large_bytes_elsewhere.fetch_add(bytes, std::memory_order_relaxed);
  } else {
    heap->large_bytes.store(heap->large_bytes.load(std::memory_order_relaxed) + bytes,
                            std::memory_order_relaxed);
  }
}

std::size_t large_live_bytes() {
  std::size_t bytes = large_bytes_elsewhere.load(std::memory_order_relaxed);
  for_each_heap(
      [&](const Heap* heap) { bytes += heap->large_bytes.load(std::memory_order_relaxed); });
  return bytes;
}

// The order of locks: registry, doors by id, spans, metadata. A second door only by try_lock.
void fork_prepare() {
  lock.lock();
  for_each_heap([](Heap* heap) { heap->door.lock(); });
  spans_locks(&os::Lock::lock);
  os::holds_every_lock = true;
}

void fork_parent() {
  os::holds_every_lock = false;
  spans_locks(&os::Lock::unlock);
  for_each_heap(&leave);
  lock.unlock();
}

void fork_child() {
  os::holds_every_lock = false;
  spans_locks(&os::Lock::reset);
  while (unpark(threads) != nullptr) continue;  // what was being parked may not be listed yet
  for_each_heap([](Heap* heap) {
    heap->door.reset();
    if (heap == current_heap || is_shared(heap->id)) return;
    heap->parked.store(true, std::memory_order_relaxed);  // nobody else is here
    list_parked(heap);
  });
  pending_rebuild();
  holes_reset();
  lock.reset();
}

}  // namespace hakmem
