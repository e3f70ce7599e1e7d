// malloc_usable_size is honest: all it names may be written, beside neighbours that do the same.
#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "conformance/library.hpp"
#include "support/pattern.hpp"
#include "support/sizes.hpp"

namespace {

void fill_neighbours(const std::vector<void*>& objects) {
  for (std::size_t i = 0; i < objects.size(); ++i) {
    pattern::fill(objects[i], malloc_usable_size(objects[i]), i);
  }
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const std::size_t usable = malloc_usable_size(objects[i]);
    ASSERT_TRUE(pattern::holds(objects[i], usable, i)) << "object " << i << " of " << usable;
    std::free(objects[i]);
  }
}

TEST(Usable, AllUsableBytesOfNeighboursMayBeWritten) {
  for (const std::size_t size : sizes::around_class_borders(128u << 10)) {
    std::vector<void*> objects(size < 2048 ? 300 : 6);
    for (void*& p : objects) {
      p = std::malloc(size);
      ASSERT_GE(malloc_usable_size(p), size);
    }
    fill_neighbours(objects);
  }
}

TEST(Usable, AlignedNeighboursToo) {
  for (std::size_t alignment = 16; alignment <= (1u << 20); alignment *= 2) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{100}, std::size_t{5000}}) {
      std::vector<void*> objects(alignment <= 4096 ? 40 : 3);
      for (void*& p : objects) {
        p = std::aligned_alloc(alignment, size);
        ASSERT_GE(malloc_usable_size(p), size);
      }
      fill_neighbours(objects);
    }
  }
}

TEST(Usable, DoesNotChangeWhileTheObjectLives) {
  std::vector<void*> objects(1000);
  std::vector<std::size_t> usable(objects.size());
  for (std::size_t i = 0; i < objects.size(); ++i) {
    objects[i] = std::malloc(i * 37);
    usable[i] = malloc_usable_size(objects[i]);
  }
  for (std::size_t i = 0; i < objects.size(); i += 2) std::free(objects[i]);
  for (std::size_t i = 1; i < objects.size(); i += 2) {
    EXPECT_EQ(malloc_usable_size(objects[i]), usable[i]);
    std::free(objects[i]);
  }
}

// A small object may not cost more than a quarter more than was asked for, and 16 bytes.
TEST(Usable, WasteIsBounded) {
  for (const std::size_t size : sizes::around_class_borders(32u << 10)) {
    void* const p = std::malloc(size);
    EXPECT_LE(malloc_usable_size(p), size + size / 4 + 16) << size;
    std::free(p);
  }
}

}  // namespace
