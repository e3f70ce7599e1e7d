#include "hakmem/front/thread.hpp"

#include "hakmem/heap/registry.hpp"

namespace hakmem {
namespace {

void use_heap(Heap* heap) {
  current_heap = heap;
  cache.tag = tag_of_owner(heap->id);
}

std::uint16_t next_turn() {
  static constinit std::atomic<std::uint16_t> turn{0};  // any order will do: relaxed
  return turn.fetch_add(1, std::memory_order_relaxed);
}

void detach(Cache::Phase next) {
  if (cache.phase == Cache::Phase::attached) {
    cache_release();
    ThreadState* state = cache.thread;
    Heap* heap = current_heap;
    cache.tag = kUnmatchableTag;
    cache.phase = next;
    cache.thread = nullptr;
    current_heap = nullptr;
    if (heap != nullptr) heap_park(heap);
    metadata_free(state, sizeof(ThreadState));
  }
  cache.phase = next;
}

}  // namespace

bool thread_attach() {
  if (cache.phase == Cache::Phase::gone) return false;
  auto* state = static_cast<ThreadState*>(metadata_allocate(sizeof(ThreadState)));
  if (state == nullptr) return false;
  // A parked heap has memory already. The first thread's heap will be used for sure.
  Heap* heap = heap_acquire_parked();
  if (heap == nullptr && heap_count() == 0) heap = heap_acquire();
  state->turn = next_turn();
  state->starts = heap == nullptr;
  cache.thread = state;
  cache.phase = Cache::Phase::attached;
  if (heap != nullptr) use_heap(heap);
  return true;
}

bool thread_take_heap() {
  if (HAK_LIKELY(current_heap != nullptr)) return true;
  Heap* heap = heap_acquire();
  if (heap == nullptr) return false;
  use_heap(heap);
  return true;
}

void thread_idle() {
  if (cache.phase == Cache::Phase::attached) detach(Cache::Phase::fresh);
}

void thread_end() { detach(Cache::Phase::gone); }

}  // namespace hakmem
