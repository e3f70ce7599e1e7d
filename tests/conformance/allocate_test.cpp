// malloc, calloc, free and their kin in ordinary use.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <vector>

#include "conformance/library.hpp"
#include "support/pattern.hpp"
#include "support/sizes.hpp"

namespace {

TEST(Allocate, EverySizeIsUsableAndAlignedTo16) {
  for (const std::size_t size : sizes::around_class_borders(4u << 20)) {
    void* const p = std::malloc(size);
    ASSERT_NE(p, nullptr) << size;
    EXPECT_TRUE(aligned_to(p, 16)) << size;
    EXPECT_GE(malloc_usable_size(p), size);
    pattern::fill(p, size, size);
    EXPECT_TRUE(pattern::holds(p, size, size)) << size;
    std::free(p);
  }
}

TEST(Allocate, ObjectsOfAllSizesDoNotOverlap) {
  const auto all = sizes::around_class_borders(256u << 10);
  std::vector<void*> objects;
  for (int round = 0; round < 3; ++round) {
    for (const std::size_t size : all) {
      objects.push_back(std::malloc(size));
      pattern::fill(objects.back(), size, objects.size());
    }
  }
  for (std::size_t i = 0; i < objects.size(); ++i) {
    ASSERT_TRUE(pattern::holds(objects[i], all[i % all.size()], i + 1)) << all[i % all.size()];
    std::free(objects[i]);
  }
}

TEST(Allocate, ZeroSizesGiveUniquePointers) {
  std::set<void*> seen;
  for (int i = 0; i < 1000; ++i) {
    for (void* p : {std::malloc(0), std::calloc(0, 8), std::calloc(8, 0), std::aligned_alloc(64, 0),
                    memalign(16, 0), valloc(0), std::realloc(nullptr, 0)}) {
      ASSERT_NE(p, nullptr);
      EXPECT_TRUE(seen.insert(p).second) << "handed out twice";
    }
  }
  for (void* p : seen) std::free(p);
}

TEST(Allocate, FreeOfNullDoesNothing) {
  std::free(nullptr);
  cfree(nullptr);
  free_sized(nullptr, 10);
  free_aligned_sized(nullptr, 64, 128);
  EXPECT_EQ(malloc_usable_size(nullptr), 0u);
}

TEST(Allocate, CallocIsZeroOnFreshMemory) {
  for (const std::size_t size : sizes::around_class_borders(8u << 20)) {
    void* const p = std::calloc(1, size);
    ASSERT_NE(p, nullptr) << size;
    EXPECT_TRUE(pattern::is_zero(p, size)) << size;
    std::free(p);
  }
}

TEST(Allocate, CallocIsZeroOnReusedMemory) {
  for (const std::size_t size : sizes::around_class_borders(2u << 20)) {
    std::vector<void*> objects;
    const int count = size < 4096 ? 50 : 3;
    for (int i = 0; i < count; ++i) {
      objects.push_back(std::malloc(size));
      pattern::fill(objects.back(), malloc_usable_size(objects.back()), ~0u);
    }
    for (void* p : objects) std::free(p);
    for (void*& p : objects) {
      p = std::calloc(size, 1);
      ASSERT_TRUE(pattern::is_zero(p, size)) << size;
    }
    for (void* p : objects) std::free(p);
  }
}

TEST(Allocate, CallocMultiplies) {
  char* const p = static_cast<char*>(std::calloc(1000, 37));
  ASSERT_NE(p, nullptr);
  EXPECT_GE(malloc_usable_size(p), 37000u);
  EXPECT_TRUE(pattern::is_zero(p, 37000));
  std::free(p);
}

// Each way to release takes what each way to allocate gave.
TEST(Allocate, EveryWayToReleaseTakesEveryObject) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{600}, std::size_t{5000},
                                 std::size_t{100} << 10, std::size_t{3} << 20}) {
    for (int i = 0; i < 100; ++i) {
      cfree(std::malloc(size));
      free_sized(std::malloc(size), size);
      free_sized(std::calloc(1, size), size);
      free_sized(std::realloc(std::malloc(16), size), size);
      free_aligned_sized(std::aligned_alloc(256, size), 256, size);
      std::free(memalign(4096, size));
      std::free(valloc(size));
      std::free(pvalloc(size));
    }
    void* const p = std::malloc(size);
    pattern::fill(p, size, 1);
    void* const q = std::malloc(size);
    pattern::fill(q, size, 2);
    EXPECT_TRUE(pattern::holds(p, size, 1));
    std::free(p);
    std::free(q);
  }
}

}  // namespace
