// malloc and free while the cache can serve them, and the slow door behind.
#pragma once

#include <array>

#include "hakmem/config/options.hpp"
#include "hakmem/front/cache.hpp"

namespace hakmem {

// ---- the slow door: declared here, defined in api/, the only way to everything else -------------
// Null when memory cannot be had; errno is left alone.
void* malloc_slow(std::size_t size);
// `relative` is what region_id_of says of `p`, exclusive-or the thread's tag: it is at hand.
void free_slow(void* p, std::size_t relative);

// ---- the route: from a size to its slot, decided once -------------------------------------------
namespace detail {

template <std::size_t kStep, std::size_t kMost>
constexpr auto make_route() {
  std::array<std::uint8_t, kMost / kStep + 1> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<std::uint8_t>(slot_of_class(class_of_size(i * kStep)));
  }
  return table;
}

}  // namespace detail

inline constexpr std::size_t kTinyStep = 16;
inline constexpr auto kTinyRoute = detail::make_route<kTinyStep, kMaxTiny>();
inline constexpr std::size_t kSmallStep = 256;
inline constexpr auto kSmallRoute = detail::make_route<kSmallStep, kMaxSmall>();

// ---- C7 ULTRA: the band 513..1024, the busiest in the Mixed workload ----------------------------
// Its four tops and limits are one cache line, and its arrays are refilled in larger batches. The
// route table finds it at no added instruction; the gate puts it behind a call.

inline constexpr unsigned kFirstC7Slot = slot_of_class(kFirstC7Class);
inline constexpr unsigned kLastC7Slot = slot_of_class(kLastC7Class);
static_assert(kFirstC7Slot % 8 == 0 && kLastC7Slot == kFirstC7Slot + 3);

HAK_NOINLINE void* tiny_c7_ultra_alloc(unsigned slot);
HAK_NOINLINE bool tiny_c7_ultra_free(unsigned slot, void* p);

HAK_INLINE bool takes_c7_ultra_call(unsigned slot) {
#ifdef HAKMEM_OUTLINE
  constexpr bool behind_call = true;
#else
  const bool behind_call = config::c7_ultra_inline() == 0;
#endif
  return behind_call && slot - kFirstC7Slot <= kLastC7Slot - kFirstC7Slot;
}

// ---- the two fast paths -------------------------------------------------------------------------
// size <= kMaxTiny. Null: the slow door.
HAK_INLINE void* tiny_alloc(std::size_t size) {
  const unsigned slot = kTinyRoute[(size + kTinyStep - 1) / kTinyStep];
  if (takes_c7_ultra_call(slot)) return tiny_c7_ultra_alloc(slot);
  return unified_cache_pop(slot);
}

// kMaxTiny < size <= kMaxSmall. Null: the slow door.
HAK_INLINE void* small_alloc(std::size_t size) {
  return unified_cache_pop(kSmallRoute[(size + kSmallStep - 1) / kSmallStep]);
}

// malloc without errno. `Slow` is what to do when the cache cannot serve.
template <void* (*Slow)(std::size_t)>
HAK_NOINLINE void* allocate_above_tiny(std::size_t size) {
  if (HAK_LIKELY(size <= kMaxSmall)) {
    if (void* p = small_alloc(size); HAK_LIKELY(p != nullptr)) return p;
  }
  return Slow(size);
}

// Cost of a hit: 14 instructions, two branches, one store, no call.
template <void* (*Slow)(std::size_t)>
HAK_INLINE void* allocate(std::size_t size) {
  if (HAK_UNLIKELY(size > kMaxTiny)) return allocate_above_tiny<Slow>(size);
  void* p = tiny_alloc(size);
  if (HAK_LIKELY(p != nullptr)) return p;
  return Slow(size);
}

// Cost of a hit: 20 instructions, three branches, two stores, no call. The region id says in one
// comparison that the object is this thread's, and its class.
HAK_INLINE void deallocate(void* p) {
  // As wide as an address, so that nothing has to be extended: one instruction less.
  const std::size_t slot = region_id_of(p) ^ cache.tag;
  if (HAK_LIKELY(slot < kSlots)) {
    if (takes_c7_ultra_call(slot)) {
      if (HAK_LIKELY(tiny_c7_ultra_free(slot, p))) return;
    } else if (HAK_LIKELY(unified_cache_push(slot, p))) {
      return;
    }
  }
  free_slow(p, slot);
}

}  // namespace hakmem
