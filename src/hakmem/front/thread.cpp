#include "hakmem/front/thread.hpp"

#include "hakmem/config/options.hpp"
#include "hakmem/front/states.hpp"
#include "hakmem/heap/registry.hpp"

namespace hakmem {
namespace {

void use_heap(Heap* heap) {
  current_heap = heap;
  cache.tag = tag_of_owner(heap->id);
}

void release(ThreadState* state, Heap* heap) {
  states_remove(state);
  magazines_release(*state, heap);
  metadata_free(state, sizeof(ThreadState));
}

// The state that came with a parked heap, or null.
ThreadState* kept_state(Heap* heap) {
  // Only whoever took the heap from the registry writes it: relaxed.
  return static_cast<ThreadState*>(heap->kept.exchange(nullptr, std::memory_order_relaxed));
}

constexpr std::size_t kMostKept = 1 << 20;  // bytes of objects

void detach(Cache::Phase next) {
  if (cache.phase == Cache::Phase::attached) {
    ThreadState* state = cache.thread;
    Heap* heap = current_heap;
    if (heap != nullptr) cache_keep_newest(kMostKept);
    cache_put_away();
    cache.tag = kUnmatchableTag;
    cache.phase = next;
    cache.thread = nullptr;
    current_heap = nullptr;
    // A few parked heaps keep their cache for the next thread; a thread that idles keeps nothing.
    // Decided last: threads that end together queue at locks before.
    const bool warm =
        next == Cache::Phase::gone && heap != nullptr && kept_count() < config::warm_heaps();
    if (!warm) release(state, heap);
    if (heap != nullptr) heap_park(heap, warm ? state : nullptr, next == Cache::Phase::fresh);
  }
  cache.phase = next;
}

}  // namespace

bool thread_attach() {
  if (cache.phase == Cache::Phase::gone) return false;
  // A parked heap has memory already. The first thread's heap will be used for sure.
  Heap* heap = heap_acquire_parked();
  if (heap == nullptr && heap_count() == 0) heap = heap_acquire();
  ThreadState* state = heap != nullptr ? kept_state(heap) : nullptr;
  if (state == nullptr) {
    state = static_cast<ThreadState*>(metadata_allocate(sizeof(ThreadState)));
    if (state != nullptr) states_add(state);
  }
  if (state == nullptr) {
    if (heap != nullptr) heap_park(heap);
    return false;
  }
  static constinit std::atomic<std::uint16_t> turn{0};  // any order will do: relaxed
  state->turn = turn.fetch_add(1, std::memory_order_relaxed);
  state->starts = heap == nullptr;
  cache.thread = state;
  cache.phase = Cache::Phase::attached;
  if (heap != nullptr) use_heap(heap);
  cache_take_out();
  return true;
}

bool thread_take_heap() {
  if (HAK_LIKELY(current_heap != nullptr)) return true;
  Heap* heap = heap_acquire();
  if (heap == nullptr) return false;
  // The thread has arrays of its own.
  if (ThreadState* state = kept_state(heap)) release(state, heap);
  use_heap(heap);
  return true;
}

void parked_caches_release() {
  while (kept_count() != 0) {
    Heap* heap = heap_acquire_parked();
    if (heap == nullptr) return;
    if (ThreadState* state = kept_state(heap)) release(state, heap);
    heap_park(heap, nullptr, true);
  }
}

void thread_idle() {
  if (cache.phase == Cache::Phase::attached) detach(Cache::Phase::fresh);
}

void thread_end() { detach(Cache::Phase::gone); }

}  // namespace hakmem
