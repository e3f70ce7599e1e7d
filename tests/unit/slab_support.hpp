// Slabs without a heap, for the tests of the layer.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "hakmem/arena/spans.hpp"
#include "hakmem/slab/local_bits.hpp"

namespace hakmem {

inline constexpr std::uint32_t kOwner = 7;

inline Descriptor* make_slab(const SizeClass& k, unsigned colour, std::uint32_t owner = kOwner) {
  Descriptor* span = span_allocate(k.regions, std::bit_ceil(unsigned{k.regions})).head;
  EXPECT_NE(span, nullptr);
  EXPECT_TRUE(slab_create(span, k, owner, colour));
  return span;
}

// What slab_take or slab_carve gives, in the order in which a cache pops it.
inline std::vector<void*> popped(unsigned (*give)(Descriptor*, void**, unsigned), Descriptor* slab,
                                 unsigned count) {
  std::vector<void*> array(count);
  const unsigned got = give(slab, array.data() + count, count);
  EXPECT_LE(got, count);
  array.erase(array.begin(), array.begin() + (count - got));
  std::reverse(array.begin(), array.end());
  return array;
}

inline void give_back(Descriptor* slab, void* p) { EXPECT_EQ(slab_return_run(slab, &p, 1), 1u); }

// Returns the objects [0, count), none of which is free, and gives the slab back.
inline void retire(Descriptor* slab, unsigned count) {
  char* first = memory_of(slab) + slab->start;
  for (unsigned i = 0; i < count; ++i) {
    give_back(slab, first + std::size_t{i} * class_of(slab).size);
  }
  EXPECT_TRUE(slab_is_empty(slab));
  slab_destroy(slab);
  span_free(slab);
}

}  // namespace hakmem
