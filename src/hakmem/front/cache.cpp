#include "hakmem/front/cache.hpp"

#include "hakmem/front/fast_path.hpp"

namespace hakmem {

extern "C" __attribute__((visibility("hidden"))) void* const hakmem_empty_array[1] = {nullptr};

namespace {

constexpr Cache fresh_cache() {
  Cache c{};
  // Never written through: a full array takes no push, an empty one no pop.
  for (auto& word : c.words) word = const_cast<void**>(hakmem_empty_array);
  c.tag = kUnmatchableTag;
  c.phase = Cache::Phase::fresh;
  c.thread = nullptr;
  return c;
}

}  // namespace

constinit thread_local Cache cache HAK_TLS_MODEL = fresh_cache();

constinit thread_local FreeBuffer free_buffer HAK_TLS_MODEL{};

void free_buffer_flush() {
  FreeBuffer& buffer = free_buffer;
  const unsigned count = buffer.count;
  buffer.count = buffer.first;
  if (config::free_batch() == 1) {
    for (unsigned i = 0; i < count; ++i) {
      void* p = buffer.pointers[i];
      if (!unified_cache_push(buffer.slots[i], p)) free_slow(p, buffer.slots[i]);
    }
    return;
  }
  std::size_t slots[FreeBuffer::kMost];
  for (unsigned i = 0; i < count; ++i) slots[i] = region_id_of(buffer.pointers[i]) ^ cache.tag;
  for (unsigned i = 0; i < count; ++i) {
    // A free through the slow door may give the thread a heap, and so a tag.
    void* p = buffer.pointers[i];
    if (HAK_UNLIKELY(slots[i] >= kSlots)) {
      deallocate_now(p);
    } else if (HAK_UNLIKELY(!unified_cache_push(slots[i], p))) {
      free_slow(p, slots[i]);
    }
  }
}

void* tiny_c7_ultra_alloc(unsigned slot) { return unified_cache_pop(slot); }

bool tiny_c7_ultra_free(unsigned slot, void* p) { return unified_cache_push(slot, p); }

}  // namespace hakmem
