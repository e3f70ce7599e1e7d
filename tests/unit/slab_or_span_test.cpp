// Between kMaxCleared and kMaxSmall malloc takes slabs, and calloc spans, which may be zero
// already.
#include <gtest/gtest.h>

#include <cstring>

#include "hakmem/arena/arena.hpp"
#include "hakmem/hakmem.h"
#include "hakmem/slab/size_classes.hpp"
#include "support/pattern.hpp"

namespace hakmem {
namespace {

constexpr std::size_t kMaxCleared = 32768;

bool is_span(const void* p) { return region_id_anywhere(p) == kRegionLarge; }

TEST(SlabOrSpan, CallocTakesSpansWhereMallocAndHeapsTakeSlabs) {
  hak_heap_t* const heap = hak_heap_new();
  for (const std::size_t size : {kMaxCleared, kMaxCleared + 1, kMaxSmall, kMaxSmall + 1}) {
    void* const plain = hak_malloc(size);
    void* const zeroed = hak_calloc(1, size);
    void* const of_heap = hak_heap_malloc(heap, size);
    EXPECT_EQ(is_span(plain), size > kMaxSmall);
    EXPECT_EQ(is_span(zeroed), size > kMaxCleared);
    EXPECT_EQ(is_span(of_heap), size > kMaxSmall);
    for (void* p : {plain, zeroed, of_heap}) {
      std::memset(p, 7, size);
      hak_free(p);
    }
  }
  hak_heap_destroy(heap);
}

TEST(SlabOrSpan, ReallocCarriesContentsFromOneToTheOther) {
  const std::size_t least = kMaxCleared + 1;
  for (const bool zeroed : {false, true}) {
    void* p = zeroed ? hak_calloc(1, least) : hak_malloc(least);
    EXPECT_EQ(is_span(p), zeroed);
    std::memset(p, 9, least);
    for (const std::size_t size : {kMaxSmall, kMaxSmall + 1, 8 * kMaxSmall, least + 1, least}) {
      p = hak_realloc(p, size);
      ASSERT_NE(p, nullptr);
      EXPECT_TRUE(pattern::all_are(p, least, 9)) << size;
    }
    hak_free(p);
  }
}

}  // namespace
}  // namespace hakmem
