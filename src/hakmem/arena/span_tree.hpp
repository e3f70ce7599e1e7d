// The tree of free spans, ordered by size and then by address: the leftmost span that is large
// enough is the best fit. A treap (Aragon and Seidel, 1989) whose priorities are hashes of the
// addresses; expected depth 2 ln n, every operation one walk, no memory of its own.
#pragma once

#include "hakmem/arena/descriptor.hpp"
#include "hakmem/base/bits.hpp"

namespace hakmem {

class SpanTree {
 public:
  void insert(Descriptor* span) {
    Descriptor** place = &root_;
    while (*place != nullptr && priority(*place) > priority(span)) place = side(*place, span);
    split(*place, span);
    *place = span;
  }

  void remove(Descriptor* span) {
    Descriptor** place = &root_;
    while (*place != span) place = side(*place, span);
    *place = nullptr;
    merge(place, span->free.left, span->free.right);
  }

  // The smallest span of at least `regions`, of those the one with the lowest address; or null.
  Descriptor* best_fit(std::size_t regions) const {
    Descriptor* best = nullptr;
    for (Descriptor* at = root_; at != nullptr;) {
      const bool fits = at->regions >= regions;
      if (fits) best = at;
      at = fits ? at->free.left : at->free.right;
    }
    return best;
  }

  // The last span before `span` in the order; of all, when that is null. Null: there is none.
  Descriptor* last_before(const Descriptor* span) const {
    Descriptor* last = nullptr;
    for (Descriptor* at = root_; at != nullptr;) {
      const bool comes_before = span == nullptr || before(at, span);
      if (comes_before) last = at;
      at = comes_before ? at->free.right : at->free.left;
    }
    return last;
  }

 private:
  static std::uint64_t priority(const Descriptor* span) {
    return (address_of(span) / sizeof(Descriptor)) * 0x9E3779B97F4A7C15u;
  }

  static bool before(const Descriptor* a, const Descriptor* b) {
    return a->regions != b->regions ? a->regions < b->regions : a < b;
  }

  static Descriptor** side(Descriptor* at, const Descriptor* span) {
    return before(span, at) ? &at->free.left : &at->free.right;
  }

  // Divides `at` into what comes before and after `span`, which become its children.
  static void split(Descriptor* at, Descriptor* span) {
    Descriptor** left = &span->free.left;
    Descriptor** right = &span->free.right;
    while (at != nullptr) {
      const bool comes_before = before(at, span);
      Descriptor**& open = comes_before ? left : right;
      *open = at;
      open = comes_before ? &at->free.right : &at->free.left;
      at = *open;
    }
    *left = nullptr;
    *right = nullptr;
  }

  static void merge(Descriptor** place, Descriptor* left, Descriptor* right) {
    while (left != nullptr && right != nullptr) {
      const bool left_first = priority(left) > priority(right);
      Descriptor*& first = left_first ? left : right;
      *place = first;
      place = left_first ? &first->free.right : &first->free.left;
      first = *place;
    }
    *place = left != nullptr ? left : right;
  }

  Descriptor* root_ = nullptr;
};

}  // namespace hakmem
