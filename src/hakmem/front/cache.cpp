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
  return c;
}

}  // namespace

constinit thread_local Cache cache HAK_TLS_MODEL = fresh_cache();

void* tiny_c7_ultra_alloc(unsigned slot) { return unified_cache_pop(slot); }
bool tiny_c7_ultra_free(unsigned slot, void* p) { return unified_cache_push(slot, p); }

}  // namespace hakmem
