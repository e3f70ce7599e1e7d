#include "hakmem/slab/remote.hpp"

#include "hakmem/base/fatal.hpp"
#include "hakmem/config/options.hpp"

namespace hakmem {
namespace {

std::atomic<std::uint64_t>& remote_word(Descriptor* slab, const SizeClass& k, unsigned w) {
  if (k.words <= kInlineWords) return slab->bits[w];
  const Arena& arena = arenas[slab->arena_for_all];
  const bool halved = k.words <= kHalfOfWords;
  const GrowingArray& array = halved ? arena.local_bits : arena.remote_bits;
  auto* outside = reinterpret_cast<std::atomic<std::uint64_t>*>(array.base);
  return outside[region_of(slab, arena) * kMaxWords + (halved ? kHalfOfWords : 0) + w];
}

}  // namespace

bool remote_return(Descriptor* slab, const SizeClass& k, unsigned w, std::uint64_t mask) {
  // Release: the owner, and who gets the object next, see all uses of the object before this free.
  // Acquire: the same order for the objects others put into this word, should the slab be taken
  // over on the strength of what this thread does next.
  const std::uint64_t old = remote_word(slab, k, w).fetch_or(mask, std::memory_order_acq_rel);
  if (HAK_UNLIKELY((old & mask) != 0)) fail_double_free(slab, k, w, old & mask);
  config::delay_point();
  // From here on the slab may be gone: only the summary, which belongs to the descriptor for ever,
  // may be touched. Release: a drainer that takes the summary sees the bits it names. Acquire: it
  // pairs with the drainer's exchange, so that who sees 0 also sees the slab off every list.
  return slab->summary.fetch_or(std::uint64_t{1} << w, std::memory_order_acq_rel) == 0;
}

std::uint64_t remote_take_summary(Descriptor* slab) {
  // Acquire: sees the bits, and if the slab was carved anew, its new owner. Release: who finds 0
  // and pushes the slab again writes its link after this thread has read it.
  return slab->summary.exchange(0, std::memory_order_acq_rel);
}

bool remote_put_back(Descriptor* slab, std::uint64_t summary) {
  return slab->summary.fetch_or(summary, std::memory_order_acq_rel) == 0;
}

unsigned remote_collect(Descriptor* slab, std::uint64_t summary) {
  const SizeClass& k = class_of(slab);
  unsigned collected = 0;
  for (; summary != 0; summary &= summary - 1) {
    const unsigned w = lowest_bit(summary);
    // A late summary of an earlier slab here may name words that this slab does not have.
    if (w >= k.words) continue;
    // Acquire: pairs with the freers' OR; the next user of an object comes after its last.
    const std::uint64_t bits = remote_word(slab, k, w).exchange(0, std::memory_order_acquire);
    if (bits == 0) continue;
    slab_return_word(slab, w, bits);
    collected += count_bits(bits);
  }
  return collected;
}

std::uint64_t remote_filled_words(Descriptor* slab) {
  const SizeClass& k = class_of(slab);
  std::uint64_t filled = 0;
  for (unsigned w = 0; w < k.words; ++w) {
    const bool any = remote_word(slab, k, w).load(std::memory_order_relaxed) != 0;
    filled |= std::uint64_t{any} << w;
  }
  return filled;
}

}  // namespace hakmem
