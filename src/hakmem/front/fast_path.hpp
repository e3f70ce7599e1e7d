// malloc and free while the cache can serve them, and the slow door behind.
#pragma once

#include <array>

#include "hakmem/config/options.hpp"
#include "hakmem/front/cache.hpp"

namespace hakmem {

// ---- the slow door: declared here, defined in api/, the only way to everything else -------------

// Null when memory cannot be had; errno is left alone.
void* malloc_slow(std::size_t size);
// `relative` is what region_id_of says of `p`, exclusive-or the thread's tag: the fast path has it
// at hand.
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
inline constexpr std::size_t kSmallStep = 256;
inline constexpr auto kTinyRoute = detail::make_route<kTinyStep, kMaxTiny>();
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

HAK_INLINE void tiny_region_id_write_header_of(void* p, unsigned slot) {
  auto* header = static_cast<unsigned char*>(p) - 1;
  const auto value = static_cast<unsigned char>(kHeaderMark | slot);
  if (kHeader == 4 && *header == value) return;
  *header = value;
}

// Pops and writes the header before (1, 3, 4) or behind (2) the store of the top.
HAK_INLINE void* pop_with_header(unsigned slot) {
  void** top = cache.words[slot];
  void* p = *top;
  if (HAK_UNLIKELY(p == nullptr)) return p;
  if (kHeader == 2) cache.words[slot] = top - 1;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  tiny_region_id_write_header_of(p, slot);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (kHeader != 2) cache.words[slot] = top - 1;
  return p;
}

// size <= kMaxTiny. Null: the slow door.
HAK_INLINE void* tiny_alloc(std::size_t size) {
  const unsigned slot = kTinyRoute[(size + kHeaderBytes + kTinyStep - 1) / kTinyStep];
  if (kHeader != 0) return pop_with_header(slot);
  if (takes_c7_ultra_call(slot)) return tiny_c7_ultra_alloc(slot);
  return unified_cache_pop(slot);
}

// kMaxTiny < size <= kMaxSmall. Null: the slow door.
HAK_INLINE void* small_alloc(std::size_t size) {
  const unsigned slot = kSmallRoute[(size + kHeaderBytes + kSmallStep - 1) / kSmallStep];
  return kHeader != 0 ? pop_with_header(slot) : unified_cache_pop(slot);
}

// malloc without errno. `Slow` is what to do when the cache cannot serve.
template <void* (*Slow)(std::size_t)>
HAK_NOINLINE void* allocate_above_tiny(std::size_t size) {
  if (HAK_LIKELY(size <= kMaxSmall - kHeaderBytes)) {
    if (void* p = small_alloc(size); HAK_LIKELY(p != nullptr)) return p;
  }
  return Slow(size);
}

// Cost of a hit: 14 instructions, two branches, one store, no call.
template <void* (*Slow)(std::size_t)>
HAK_INLINE void* allocate(std::size_t size) {
  if (HAK_UNLIKELY(size > kMaxTiny - kHeaderBytes)) return allocate_above_tiny<Slow>(size);
  void* p = tiny_alloc(size);
  if (HAK_LIKELY(p != nullptr)) return p;
  return Slow(size);
}

// Objects that were freed and are in no array yet.
struct FreeBuffer {
  static constexpr unsigned kMost = 16;
  static constexpr unsigned kMostClassified = 8;
  unsigned first;  // 0, or of a thread that is ending so many that each object goes at once
  unsigned count;
  void* pointers[kMost];
  std::uint8_t slots[kMostClassified];
};
extern constinit thread_local FreeBuffer free_buffer HAK_TLS_MODEL;

void free_buffer_flush();

HAK_INLINE void deallocate_now(void* p);
HAK_INLINE void deallocate_by_header(void* p);

HAK_INLINE void deallocate_classified(void* p) {
  const std::size_t slot = region_id_of(p) ^ cache.tag;
  if (HAK_UNLIKELY(slot >= kSlots)) return free_slow(p, slot);
  FreeBuffer& buffer = free_buffer;
  buffer.pointers[buffer.count] = p;
  buffer.slots[buffer.count] = static_cast<std::uint8_t>(slot);
  if (HAK_UNLIKELY(++buffer.count == FreeBuffer::kMostClassified)) free_buffer_flush();
}

HAK_INLINE void deallocate_later(void* p) {
  FreeBuffer& buffer = free_buffer;
  buffer.pointers[buffer.count] = p;
  if (HAK_UNLIKELY(++buffer.count >= FreeBuffer::kMost)) free_buffer_flush();
}

HAK_INLINE void deallocate(void* p) {
  if (kHeader != 0) return deallocate_by_header(p);
  if (config::free_batch() == 1) return deallocate_classified(p);
  if (config::free_batch() == 2) return deallocate_later(p);
  deallocate_now(p);
}

// The header says the class; whose the object is nobody asks before it is flushed. Objects at the
// start of a region have none: what lies before them may not be ours.
HAK_INLINE void deallocate_by_header(void* p) {
  const std::uintptr_t offset = address_of(p) - arena_window.base.load(std::memory_order_relaxed);
  if (HAK_LIKELY(offset < arena_window.bytes.load(std::memory_order_relaxed))) {
    const auto* header = static_cast<unsigned char*>(p) - 1;
    if (kHeader == 3) {
      const std::size_t at_start = offset % kRegionBytes == 0;
      const std::size_t slot = (std::size_t{header[at_start]} ^ kHeaderMark) | at_start << 8;
      if (HAK_LIKELY(slot < kSlots) && HAK_LIKELY(unified_cache_push(slot, p))) return;
    } else if (HAK_LIKELY(offset % kRegionBytes != 0) && HAK_LIKELY((*header & kHeaderMark) != 0)) {
      const std::size_t slot = *header ^ kHeaderMark;
      if (HAK_LIKELY(slot < kSlots) && HAK_LIKELY(unified_cache_push(slot, p))) return;
    }
  }
  free_slow(p, region_id_of(p) ^ cache.tag);
}

// Cost of a hit: 19 instructions, three branches, two stores, no call. The region id says in one
// comparison that the object is this thread's, and its class.
HAK_INLINE void deallocate_now(void* p) {
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

// `size` is what the object was asked for with.
HAK_INLINE void deallocate_sized(void* p, std::size_t size) {
  if (config::sized_delete() != 0 && HAK_LIKELY(p != nullptr && size <= kMaxTiny)) {
    if (HAK_LIKELY(unified_cache_push(kTinyRoute[(size + kTinyStep - 1) / kTinyStep], p))) return;
  }
  deallocate(p);
}

}  // namespace hakmem
