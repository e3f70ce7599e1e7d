#include "hakmem/heap/registry.hpp"

#include "hakmem/arena/spans.hpp"
#include "hakmem/base/fatal.hpp"

namespace hakmem {

constinit thread_local Heap* current_heap HAK_TLS_MODEL = nullptr;

namespace {

// Ids are found in two steps; leaves are made when needed and stay.
constexpr std::uint32_t kLeafSize = 512;
constexpr std::uint32_t kLeaves = 2048;
using Leaf = std::atomic<Heap*>[kLeafSize];

constinit os::Lock lock;  // protects what follows; held for a few instructions
constinit std::atomic<Leaf*> leaves[kLeaves]{};
constinit std::atomic<std::uint32_t> count{0};
constinit Heap* parked = nullptr;

// The caller holds the lock.
Heap* make_heap() {
  const std::uint32_t index = count.load(std::memory_order_relaxed);
  if (index == kLeafSize * kLeaves) return nullptr;
  Leaf* leaf = leaves[index / kLeafSize].load(std::memory_order_relaxed);
  if (leaf == nullptr) {
    leaf = static_cast<Leaf*>(metadata_allocate(sizeof(Leaf)));
    if (leaf == nullptr) return nullptr;
    leaves[index / kLeafSize].store(leaf, std::memory_order_release);
  }
  auto* heap = static_cast<Heap*>(metadata_allocate(sizeof(Heap)));
  if (heap == nullptr) return nullptr;
  heap->id = index + 1;
  // Release, all three: whoever finds the heap by its id sees it whole.
  (*leaf)[index % kLeafSize].store(heap, std::memory_order_release);
  count.store(index + 1, std::memory_order_release);
  return heap;
}

template <typename Action>
void for_each_heap(Action action) {
  for (std::uint32_t id = 1; id <= heap_count(); ++id) action(heap_by_id(id));
}

}  // namespace

Heap* heap_by_id(std::uint32_t id) {
  Leaf* leaf = leaves[(id - 1) / kLeafSize].load(std::memory_order_acquire);
  return (*leaf)[(id - 1) % kLeafSize].load(std::memory_order_acquire);
}

std::uint32_t heap_count() { return count.load(std::memory_order_acquire); }

os::Lock& registry_lock() { return lock; }

Heap* heap_acquire() {
  const os::Locked locked(lock);
  Heap* heap = parked;
  if (heap == nullptr) return make_heap();
  parked = heap->next_parked;
  heap->parked = false;
  return heap;
}

void registry_park(Heap* heap) {
  const os::Locked locked(lock);
  heap->next_parked = parked;
  heap->parked = true;
  parked = heap;
}

// The order of locks: registry, doors by id, spans, metadata.
void fork_prepare() {
  lock.lock();
  for_each_heap([](Heap* heap) { heap->door.lock(); });
  spans_lock_all();
  os::holds_every_lock = true;
}

void fork_parent() {
  os::holds_every_lock = false;
  spans_unlock_all();
  for_each_heap([](Heap* heap) { heap->door.unlock(); });
  lock.unlock();
}

void fork_child() {
  os::holds_every_lock = false;
  spans_reset_locks();
  for_each_heap([](Heap* heap) {
    heap->door.reset();
    if (heap == current_heap || heap->parked) return;
    heap->next_parked = parked;
    heap->parked = true;
    parked = heap;
  });
  lock.reset();
}

}  // namespace hakmem
