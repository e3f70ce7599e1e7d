// realloc and reallocarray in all their cases.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "conformance/library.hpp"
#include "support/opaque.hpp"
#include "support/pattern.hpp"
#include "support/share.hpp"
#include "support/sizes.hpp"

namespace {

void grow_or_shrink(std::size_t from, std::size_t to) {
  void* const p = std::malloc(from);
  ASSERT_NE(p, nullptr);
  pattern::fill(p, from, from ^ to);
  void* const q = std::realloc(p, to);
  ASSERT_NE(q, nullptr) << from << " to " << to;
  ASSERT_TRUE(aligned_to(q, 16));
  ASSERT_GE(malloc_usable_size(q), to);
  ASSERT_TRUE(pattern::holds(q, std::min(from, to), from ^ to)) << from << " to " << to;
  pattern::fill(q, to, 1);
  std::free(q);
}

TEST(Realloc, FromEveryClassBorderToEveryOther) {
  const auto all = sizes::around_class_borders(64u << 10);
  for (const std::size_t from : all) {
    for (const std::size_t to : all) {
      if (to != 0) grow_or_shrink(from, to);
    }
  }
}

TEST(Realloc, LargeObjectsUpAndDown) {
  for (std::size_t border = 32u << 10; border <= (4u << 20); border *= 2) {
    for (const std::size_t from : {border - 1, border, border + 1, border + border / 2}) {
      for (const std::size_t to :
           {from / 2, from + 1, from + 4096, from + 65536, 2 * from, 16 * (from >> 4)}) {
        grow_or_shrink(from, to);
      }
      grow_or_shrink(from, 100);
      grow_or_shrink(100, from);
    }
  }
  grow_or_shrink(32u << 20, 64u << 20);
  grow_or_shrink(64u << 20, 1u << 20);
}

TEST(Realloc, OneObjectGrowsFrom16BytesTo64MiBAndBack) {
  constexpr std::size_t kLargest = 64u << 20;
  std::size_t size = 16;
  void* p = std::malloc(size);
  pattern::fill(p, size, 7);
  while (size < kLargest) {
    const std::size_t next = std::min(kLargest, size + size / 3 + 1);
    p = std::realloc(p, next);
    ASSERT_NE(p, nullptr);
    ASSERT_TRUE(pattern::holds(p, size, 7)) << size << " to " << next;
    pattern::fill(p, next, 7);
    size = next;
  }
  while (size > 16) {
    size = size / 2;
    p = std::realloc(p, size);
    ASSERT_NE(p, nullptr);
    ASSERT_TRUE(pattern::holds(p, size, 7)) << "down to " << size;
  }
  std::free(p);
}

// Several large objects grow in turns, so that none can always stay where it is.
TEST(Realloc, NeighboursGrowInTurns) {
  struct Object {
    void* p;
    std::size_t size;
  };
  std::vector<Object> objects(8, {nullptr, 0});
  for (std::size_t round = 1; round <= 40; ++round) {
    for (std::size_t i = 0; i < objects.size(); ++i) {
      Object& o = objects[i];
      const std::size_t next = round * 64 * 1024 + i * 4000;
      o.p = std::realloc(o.p, next);
      ASSERT_NE(o.p, nullptr);
      ASSERT_TRUE(pattern::holds(o.p, o.size, i)) << round << ' ' << i;
      pattern::fill(o.p, next, i);
      o.size = next;
    }
  }
  for (std::size_t i = 0; i < objects.size(); ++i) {
    EXPECT_TRUE(pattern::holds(objects[i].p, objects[i].size, i));
    std::free(objects[i].p);
  }
}

// Each grows past its neighbours, which are in its way, or shrinks; and whole pages stay untouched.
TEST(Realloc, LargeObjectsOfRandomSizesKeepWhatTheyHold) {
  struct Object {
    char* p;
    std::size_t size;
  };
  std::vector<Object> objects(10, {nullptr, 0});
  std::uint32_t random = 1;
  const auto next = [&random] { return random = random * 1664525 + 1013904223; };
  const auto mark = [](std::size_t i, std::size_t at) {
    return static_cast<char>(1 + (i * 31 + at / 20000) % 127);
  };
  for (int step = 0; step < share_of(3000); ++step) {
    const std::size_t i = (next() >> 8) % objects.size();
    Object& o = objects[i];
    const std::size_t size = (std::size_t{32768} << (next() >> 8) % 10) + (next() >> 8) % 60000;
    o.p = static_cast<char*>(std::realloc(o.p, size));
    ASSERT_NE(o.p, nullptr);
    for (std::size_t at = 0; at < size; at += 20000) {
      if (at < o.size) {
        ASSERT_EQ(o.p[at], mark(i, at)) << step << ": " << o.size << " to " << size;
      } else {
        o.p[at] = mark(i, at);
      }
    }
    o.size = size;
  }
  for (const Object& o : objects) std::free(o.p);
}

TEST(Realloc, OfNullAllocates) {
  void* const p = std::realloc(nullptr, 1000);
  ASSERT_NE(p, nullptr);
  pattern::fill(p, 1000, 1);
  std::free(p);
}

TEST(Realloc, ToZeroFreesAndReturnsNull) {
  for (int i = 0; i < 100000; ++i) {
    void* const p = std::malloc(4096);
    ASSERT_NE(p, nullptr);
    ASSERT_EQ(std::realloc(p, opaque(std::size_t{0})), nullptr);
  }
  EXPECT_EQ(reallocarray(std::malloc(100), opaque(std::size_t{0}), 8), nullptr);
}

TEST(Realloc, ToTheSameSizeKeepsTheObject) {
  for (const std::size_t size : sizes::around_class_borders(1u << 20)) {
    if (size == 0) continue;
    void* const p = std::malloc(size);
    pattern::fill(p, size, 3);
    void* const q = std::realloc(p, size);
    EXPECT_EQ(opaque(q), p) << size;
    EXPECT_TRUE(pattern::holds(q, size, 3));
    std::free(q);
  }
}

TEST(Realloc, WithinUsableSizeKeepsAllUsableBytes) {
  for (const std::size_t size : sizes::around_class_borders(256u << 10)) {
    void* const p = std::malloc(size);
    const std::size_t usable = malloc_usable_size(p);
    pattern::fill(p, usable, 5);
    void* const q = std::realloc(p, usable + 1);
    ASSERT_NE(q, nullptr);
    EXPECT_TRUE(pattern::holds(q, usable, 5)) << size;
    std::free(q);
  }
}

TEST(Realloc, FailureLeavesTheObjectAlone) {
  for (const std::size_t old : {std::size_t{100}, std::size_t{5000}, std::size_t{2} << 20}) {
    void* const p = std::malloc(old);
    pattern::fill(p, old, 9);
    for (const std::size_t size :
         {SIZE_MAX, SIZE_MAX - 15, static_cast<std::size_t>(PTRDIFF_MAX)}) {
      errno = 0;
      EXPECT_EQ(std::realloc(p, opaque(size)), nullptr);
      EXPECT_EQ(errno, ENOMEM);
    }
    EXPECT_TRUE(pattern::holds(p, old, 9));
    std::free(p);
  }
}

TEST(Realloc, ArrayMultipliesAndChecks) {
  void* p = reallocarray(nullptr, 100, 8);
  ASSERT_NE(p, nullptr);
  pattern::fill(p, 800, 1);
  p = reallocarray(p, 1000, 8);
  ASSERT_NE(p, nullptr);
  EXPECT_GE(malloc_usable_size(p), 8000u);
  EXPECT_TRUE(pattern::holds(p, 800, 1));
  for (const std::size_t count : {SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 8 + 1}) {
    errno = 0;
    EXPECT_EQ(reallocarray(p, opaque(count), 8), nullptr);
    EXPECT_EQ(errno, ENOMEM);
  }
  EXPECT_TRUE(pattern::holds(p, 800, 1));
  std::free(p);
}

}  // namespace
