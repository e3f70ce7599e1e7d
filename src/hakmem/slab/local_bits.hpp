// The bitmap of a slab's free objects.
#pragma once

#include "hakmem/slab/slab.hpp"

namespace hakmem {

// The local bitmap of a slab, wherever it lies. Outside bitmaps have a summary of the words that
// are not zero, so that finding a free object never scans.
class LocalBits {
 public:
  explicit LocalBits(Descriptor* slab)
      : slab_(slab),
        outside_(class_of(slab).words > kInlineWords),
        words_(outside_ ? outside_words(slab) : slab->slab.bits) {}

  std::uint64_t word(unsigned w) const { return words_[w]; }

  void store(unsigned w, std::uint64_t value) {
    words_[w] = value;
    if (!outside_) return;
    const std::uint64_t bit = std::uint64_t{1} << w;
    slab_->slab.summary = value != 0 ? slab_->slab.summary | bit : slab_->slab.summary & ~bit;
  }

  // The first word that is not 0, known to be at or behind `w`; there is one.
  unsigned next_filled(unsigned w) const {
    if (outside_) return lowest_bit(slab_->slab.summary);
    while (words_[w] == 0) ++w;
    return w;
  }

 private:
  static std::uint64_t* outside_words(const Descriptor* slab) {
    return reinterpret_cast<std::uint64_t*>(arena_of(slab).local_bits.base) +
           region_of(slab) * kMaxWords;
  }

  Descriptor* slab_;
  bool outside_;
  std::uint64_t* words_;
};

}  // namespace hakmem
