#include "hakmem/front/thread.hpp"

#include <string.h>

#include <algorithm>

#include "hakmem/config/options.hpp"

namespace hakmem {
namespace {

constexpr unsigned kFirstCapacity = 15;
constexpr unsigned kMostCapacity = 2047;
constexpr std::size_t kMostArrayBytes = std::size_t{256} << 10;  // of objects, for one class

struct Policy {
  unsigned first_capacity;
  unsigned first_batch;
  unsigned most_capacity;
};

// C7 ULTRA starts with larger batches than its size would give it.
constexpr Policy policy_of(unsigned c) {
  const std::size_t size = kSizeClasses[c].size;
  const bool ultra = c >= kFirstC7Class && c <= kLastC7Class;
  Policy p{};
  p.first_capacity = size <= 2048 ? kFirstCapacity : size <= 8192 ? 7 : 3;
  p.first_batch = ultra || size <= 512 ? 8 : p.first_capacity / 2;
  const auto most = std::bit_ceil(static_cast<unsigned>(kMostArrayBytes / size)) - 1;
  p.most_capacity = std::clamp(most, p.first_capacity, kMostCapacity);
  return p;
}

Magazine& magazine_of(unsigned slot) { return cache.thread->magazines[class_of_slot(slot)]; }

std::size_t bytes_of(unsigned capacity) { return (capacity + 1) * sizeof(void*); }

void point_cache_at(unsigned slot, const Magazine& m, unsigned count) {
  cache.words[slot] = m.words + count;
  cache.words[slot + kLimit] = m.words + m.capacity;
}

// Words for a first array, from the thread's page while it has room.
bool first_array(Magazine& m, unsigned c) {
  ThreadState& t = *cache.thread;
  const Policy policy = policy_of(c);
  const std::size_t words = policy.first_capacity + 1;
  if (t.first_words_used + words <= std::size(t.first_words)) {
    m.words = t.first_words + t.first_words_used;
    t.first_words_used += words;
  } else {
    m.words = static_cast<void**>(metadata_allocate(words * sizeof(void*)));
    if (m.words == nullptr) return false;
    m.own_block = true;
  }
  m.capacity = static_cast<std::uint16_t>(policy.first_capacity);
  m.batch = static_cast<std::uint16_t>(policy.first_batch);
  t.budget_used += m.capacity * kSizeClasses[c].size;
  point_cache_at(slot_of_class(c), m, 0);
  return true;
}

bool has_array(Magazine& m, unsigned c) { return m.words != nullptr || first_array(m, c); }

// Doubles an array that holds `count` objects, within the class's bound and the thread's budget.
bool grow(Magazine& m, unsigned slot, unsigned count) {
  const unsigned c = class_of_slot(slot);
  ThreadState& t = *cache.thread;
  const unsigned capacity = m.capacity * 2 + 1;
  const std::size_t added = (capacity - m.capacity) * std::size_t{kSizeClasses[c].size};
  if (capacity > policy_of(c).most_capacity) return false;
  if (t.budget_used + added > config::cache_budget()) return false;
  auto** words = static_cast<void**>(metadata_allocate(bytes_of(capacity)));
  if (words == nullptr) return false;
  memcpy(words, m.words, bytes_of(count));
  if (m.own_block) metadata_free(m.words, bytes_of(m.capacity));
  t.budget_used += added;
  m.words = words;
  m.capacity = static_cast<std::uint16_t>(capacity);
  m.own_block = true;
  point_cache_at(slot, m, count);
  return true;
}

unsigned held(unsigned slot, const Magazine& m) {
  return static_cast<unsigned>(cache.words[slot] - m.words);
}

// Returns the `count` objects that lie longest in the array.
void return_oldest(Magazine& m, unsigned slot, unsigned count) {
  const unsigned kept = held(slot, m) - count;
  heap_return(current_heap, m.words + 1, count);
  memmove(m.words + 1, m.words + 1 + count, kept * sizeof(void*));
  cache.words[slot] = m.words + kept;
  m.refilled = false;
}

}  // namespace

void* cache_refill(unsigned slot) {
  const unsigned c = class_of_slot(slot);
  Magazine& m = magazine_of(slot);
  outbox_flush(cache.thread->outbox);
  if (!has_array(m, c)) {
    void* one[1];
    return heap_refill(current_heap, kSizeClasses[c], one + 1, 1) == 1 ? one[0] : nullptr;
  }
  if (m.batch > m.capacity / 2 + 1) grow(m, slot, 0);
  const unsigned wanted = std::min<unsigned>(m.batch, m.capacity / 2 + 1);
  m.batch = static_cast<std::uint16_t>(std::min<unsigned>(wanted * 2, kMostCapacity));
  void** end = m.words + 1 + wanted;
  const unsigned got = heap_refill(current_heap, kSizeClasses[c], end, wanted);
  if (got == 0) return nullptr;
  if (got < wanted) memmove(m.words + 1, end - got, got * sizeof(void*));
  m.refilled = true;
  void* p = m.words[got];
  cache.words[slot] = m.words + got - 1;
  return p;
}

void cache_overflow(unsigned slot, void* p) {
  const unsigned c = class_of_slot(slot);
  Magazine& m = magazine_of(slot);
  if (!has_array(m, c)) {
    heap_return(current_heap, &p, 1);
    return;
  }
  if (held(slot, m) == m.capacity) {
    const bool grown = m.refilled && grow(m, slot, m.capacity);
    if (!grown) return_oldest(m, slot, m.capacity / 2 + 1);
  }
  unified_cache_push(slot, p);
}

void cache_flush_all() {
  for (unsigned c = 0; c < kClasses; ++c) {
    const unsigned slot = slot_of_class(c);
    Magazine& m = magazine_of(slot);
    if (m.words == nullptr) continue;
    if (const unsigned count = held(slot, m); count > 0) return_oldest(m, slot, count);
  }
  outbox_flush(cache.thread->outbox);
}

bool thread_attach() {
  if (cache.phase == Cache::Phase::gone) return false;
  auto* state = static_cast<ThreadState*>(metadata_allocate(sizeof(ThreadState)));
  if (state == nullptr) return false;
  Heap* heap = heap_acquire();
  if (heap == nullptr) {
    metadata_free(state, sizeof(ThreadState));
    return false;
  }
  cache.thread = state;
  cache.phase = Cache::Phase::attached;
  current_heap = heap;
  cache.tag = tag_of_owner(heap->id);
  return true;
}

void thread_detach() {
  if (cache.phase != Cache::Phase::attached) return;
  // From here on the fast paths miss for good: glibc still frees after the last destructor.
  cache_flush_all();
  ThreadState* state = cache.thread;
  Heap* heap = current_heap;
  for (unsigned c = 0; c < kClasses; ++c) {
    const unsigned slot = slot_of_class(c);
    cache.words[slot] = cache.words[slot + kLimit] = const_cast<void**>(hakmem_empty_array);
    const Magazine& m = state->magazines[c];
    if (m.own_block) metadata_free(m.words, bytes_of(m.capacity));
  }
  cache.tag = kUnmatchableTag;
  cache.phase = Cache::Phase::gone;
  cache.thread = nullptr;
  current_heap = nullptr;
  heap_park(heap);
  metadata_free(state, sizeof(ThreadState));
}

}  // namespace hakmem
