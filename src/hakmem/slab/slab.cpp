#include "hakmem/slab/slab.hpp"

#include <algorithm>

#include "hakmem/arena/spans.hpp"
#include "hakmem/base/fatal.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/slab/local_bits.hpp"
#include "hakmem/slab/pages.hpp"

namespace hakmem {
namespace {

constexpr const char* kNeverAllocated = "invalid pointer, never allocated:";

const char* object_at(const Descriptor* slab, const SizeClass& k, unsigned index) {
  return memory_of(slab) + slab_start(slab) + std::size_t{index} * k.size;
}

}  // namespace

bool slab_create(Descriptor* span, const SizeClass& k, std::uint32_t owner, unsigned colour) {
  if (k.words > kHalfOfWords && !span_open_remote_bits(span)) return false;
  span->slot = k.slot;
  const unsigned colours = k.colours(span->regions);
  span->colour = static_cast<std::uint8_t>(colour * config::colour_step() % colours);
  span->start = slab_start(span);
  span->arena_for_all = span->arena;
  span->slab = SlabState{};
  for (unsigned i = 0; i < span->regions; ++i) {
    span[i].slab.given = 0;
    arena_of(span).place(region_of(span) + i) = static_cast<std::uint8_t>(i);
  }
  LocalBits bits(span);
  for (unsigned w = 0; w < k.words; ++w) {
    if (bits.word(w) != 0) bits.store(w, 0);
  }
  slab_change_owner(span, owner);
  return true;
}

void slab_change_owner(Descriptor* slab, std::uint32_t owner) {
  // Release: who finds this owner finds its heap by id. Sequentially consistent: a freer pushes the
  // slab on a heap's list and then looks at the owner again; whoever takes the slab from that heap
  // looks at the list again afterwards (leave): one of the two sees the other.
  slab->owner.store(owner, std::memory_order_seq_cst);
  const RegionId id = tag_of_owner(owner) | slab->slot;
  tiny_region_id_write_header(slab, id, id);
}

void slab_destroy(Descriptor* slab) {
  // The next slab may have its remote words there, and they must be 0.
  const unsigned words = class_of(slab).words;
  if (words > kHalfOfWords) {
    LocalBits bits(slab);
    for (unsigned w = kHalfOfWords; w < words; ++w) bits.store(w, 0);
  }
  if (HAK_UNLIKELY(slab->slab.holes)) slab_forget_holes(slab);
  tiny_region_id_write_header(slab, kRegionUnused, kRegionUnused);
  slab->owner.store(0, std::memory_order_seq_cst);  // the slab is lost as in slab_change_owner
}

unsigned slab_take(Descriptor* slab, void** end, unsigned count) {
  count = std::min<unsigned>(count, slab->slab.free);
  if (count == 0) return 0;
  slab->slab.rest = Rest::busy;
  if (HAK_UNLIKELY(slab->slab.holes)) count = slab_take_beside_holes(slab, end, count);
  slab->slab.free = static_cast<std::uint16_t>(slab->slab.free - count);
  if (HAK_UNLIKELY(slab->slab.holes)) return count;
  const SizeClass& k = class_of(slab);
  LocalBits bits(slab);
  char* first = memory_of(slab) + slab_start(slab);
  unsigned w = 0;
  for (unsigned taken = 0; taken < count;) {
    w = bits.next_filled(w);
    std::uint64_t word = bits.word(w);
    for (; word != 0 && taken < count; word &= word - 1, ++taken) {
      *--end = first + (std::size_t{w} * 64 + lowest_bit(word)) * k.size;
    }
    bits.store(w, word);
  }
  return count;
}

unsigned slab_carve(Descriptor* slab, void** end, unsigned count) {
  const SizeClass& k = class_of(slab);
  count = std::min<unsigned>(count, capacity_of(slab) - slab->slab.frontier);
  char* next = memory_of(slab) + slab_start(slab) + std::size_t{slab->slab.frontier} * k.size;
  const unsigned frontier = slab->slab.frontier + count;
  if (HAK_UNLIKELY(slab->slab.holes) && !slab_use_pages(slab, slab->slab.frontier, frontier)) {
    return 0;
  }
  for (unsigned i = 0; i < count; ++i, next += k.size) *--end = next;
  slab->slab.frontier = static_cast<std::uint16_t>(frontier);
  slab->slab.rest = Rest::busy;
  return count;
}

unsigned slab_index_checked(const Descriptor* slab, const void* p) {
  const std::size_t offset = address_of(p) - address_of(memory_of(slab));
  return slab_index_at(class_of(slab), capacity_of(slab), offset - slab_start(slab), p);
}

HAK_COLD void fail_no_slab(const void* p) {
  fatal_pointer("invalid pointer, into memory that is free:", p);
}

HAK_COLD void fail_no_object(const void* p, const SizeClass& k, bool beyond_last) {
  fatal_pointer(beyond_last ? kNeverAllocated : "invalid pointer, into the middle of an object:", p,
                k.size);
}

HAK_COLD void fail_return(const Descriptor* slab, const void* p) {
  const bool known = slab_index_checked(slab, p) < slab->slab.frontier;
  fatal_pointer(known ? "double free of" : kNeverAllocated, p, class_of(slab).size);
}

HAK_COLD void fail_double_free(const Descriptor* slab, const SizeClass& k, unsigned word,
                               std::uint64_t twice) {
  fatal_pointer("double free of", object_at(slab, k, word * 64 + lowest_bit(twice)), k.size);
}

void slab_return_word(Descriptor* slab, unsigned w, std::uint64_t mask) {
  const SizeClass& k = class_of(slab);
  LocalBits bits(slab);
  const std::uint64_t twice = bits.set(w, mask);
  if (HAK_UNLIKELY(twice != 0)) fail_double_free(slab, k, w, twice);
  const unsigned last = w * 64 + 63 - static_cast<unsigned>(std::countl_zero(mask));
  if (HAK_UNLIKELY(last >= slab->slab.frontier)) {
    fatal_pointer(kNeverAllocated, object_at(slab, k, last), k.size);
  }
  bits.note_filled();
  slab->slab.free = static_cast<std::uint16_t>(slab->slab.free + count_bits(mask));
  wake(slab);
}

}  // namespace hakmem
