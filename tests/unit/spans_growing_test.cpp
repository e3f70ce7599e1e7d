// Spans for objects that grow: resident memory first, else room that others leave alone.
#include "spans_support.hpp"

namespace hakmem {
namespace {

// No purge comes by itself.
TEST(SpansGrowing, TakeResidentMemoryFirst) {
  in_child(
      [] {
        Descriptor* small = take(12);
        take(1);
        Descriptor* large = take(100);
        take(1);
        span_free(small);
        span_free(large);
        EXPECT_EQ(span_allocate_growing(10, 64).head, large);  // four times as much, rather
        EXPECT_EQ(span_allocate_growing(80, 0).head, large + 10);
        EXPECT_EQ(span_allocate_growing(12, 64).head, small);
        EXPECT_EQ(span_allocate_growing(40, 0).head, nullptr);  // no room wanted
        EXPECT_EQ(span_allocate_growing(0, 0).head, nullptr);
        EXPECT_EQ(span_allocate_growing(SIZE_MAX, SIZE_MAX).head, nullptr);
      },
      kNeverPurge);
}

// A dirty span that is too small serves with what is clean beside it, on either side.
TEST(SpansGrowing, NewOnesTakeResidentMemoryToo) {
  in_child(
      [] {
        take(1);
        Descriptor* clean = take(30);
        Descriptor* dirty = take(20);
        take(1);
        span_free(clean);
        spans_purge_all();
        span_free(dirty);
        const Span both = span_allocate(40);
        EXPECT_EQ(both.head, dirty - 20);
        EXPECT_EQ(both.head->regions, 40u);
        EXPECT_FALSE(both.zero);
        EXPECT_EQ(clean->regions, 10u);
        span_free(both.head);
        EXPECT_EQ(span_allocate(164).head, dirty + 21);  // less than a quarter of it is resident
        Descriptor* last = take(200);
        span_free(last);
        EXPECT_EQ(span_allocate(240).head, last);  // and the frontier
      },
      kNeverPurge);
}

TEST(SpansGrowing, StayWithinTheLimit) {
  Environment limited = kNeverPurge;
  limited.emplace_back("HAKMEM_LIMIT", "8M");
  in_child(
      [] {
        ASSERT_TRUE(spans_start());
        EXPECT_NE(span_allocate_growing(32, 64).head, nullptr);
        EXPECT_EQ(span_allocate_growing(128, 256).head, nullptr);
        EXPECT_EQ(span_allocate(128).head, nullptr);
      },
      limited);
}

TEST(SpansGrowing, WhatIsReservedIsLeftAlone) {
  in_child(
      [] {
        take(3);
        const Span growing = span_allocate_growing(10, 64);
        ASSERT_NE(growing.head, nullptr);
        EXPECT_TRUE(growing.zero);
        EXPECT_EQ(growing.head->regions, 10u);
        EXPECT_EQ(span_statistics().clean, 54 * kRegionBytes);
        Descriptor* other = take(1);
        EXPECT_EQ(other, growing.head + 64);  // the frontier
        ASSERT_TRUE(span_grow(growing.head, 20));
        ASSERT_TRUE(span_grow(growing.head, 30));
        scribble(growing.head);
        EXPECT_EQ(take(1), growing.head + 65);  // what is left of it is still
        ASSERT_FALSE(span_grow(growing.head, 65));
        // Freed beside what is reserved: the kinds stay apart.
        span_free(other);
        EXPECT_EQ(span_statistics().clean, 34 * kRegionBytes);
        EXPECT_EQ(span_statistics().dirty, kRegionBytes);
        spans_purge_all();
        // Without the object it is nobody's: all of it is one span again.
        span_free(growing.head);
        spans_purge_all();
        EXPECT_EQ(span_statistics().clean, 65 * kRegionBytes);
        const Span all = span_allocate(65);
        EXPECT_EQ(all.head, growing.head);
        EXPECT_TRUE(all.zero == pattern::is_zero(memory_of(all.head), bytes_of(all.head)) ||
                    !all.zero);
      },
      kNeverPurge);
}

TEST(SpansGrowing, GivenBackTailEndsTheReservation) {
  in_child(
      [] {
        ASSERT_TRUE(spans_start());
        const Span growing = span_allocate_growing(10, 64);
        ASSERT_NE(growing.head, nullptr);
        Descriptor* tail = span_split(growing.head, 4);
        span_free(tail, true);  // never written to
        EXPECT_EQ(span_allocate(60).head, tail);
      },
      kNeverPurge);
}

TEST(SpansGrowing, WhatIsReservedServesWhenNothingElseIsLeft) {
  in_child(
      [] {
        ASSERT_TRUE(spans_start());
        const std::size_t regions = 64;
        const Span growing = span_allocate_growing(4, regions);
        ASSERT_NE(growing.head, nullptr);
        ASSERT_EQ(arenas[0].regions, regions);
        EXPECT_EQ(span_allocate(10).head, growing.head + 4);
        EXPECT_EQ(arena_count.load(), 1u);
        EXPECT_EQ(span_allocate_growing(4, 64).head, nullptr);
      },
      {{"HAKMEM_ARENA_BYTES", "4M"}, {"HAKMEM_DIRTY_LIMIT", "100G"}});
}

}  // namespace
}  // namespace hakmem
