// The library's own C interface, and that it is one heap with the standard functions.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "conformance/library.hpp"
#include "hakmem/hakmem.h"
#include "support/opaque.hpp"
#include "support/pattern.hpp"
#include "support/sizes.hpp"

namespace {

TEST(HakApi, VersionIsThatOfTheHeader) { EXPECT_EQ(hak_version(), HAKMEM_VERSION); }

TEST(HakApi, AllocatesAndReleases) {
  for (const std::size_t size : sizes::around_class_borders(1u << 20)) {
    void* p = hak_malloc(size);
    ASSERT_NE(p, nullptr);
    EXPECT_TRUE(aligned_to(p, 16));
    EXPECT_GE(hak_usable_size(p), size);
    pattern::fill(p, size, 1);
    p = hak_realloc(p, size + 100);
    ASSERT_NE(p, nullptr);
    EXPECT_TRUE(pattern::holds(p, size, 1)) << size;
    hak_free_sized(p, size + 100);
    p = hak_calloc(2, size);
    ASSERT_NE(p, nullptr);
    EXPECT_TRUE(pattern::is_zero(p, 2 * size));
    hak_free(p);
  }
}

TEST(HakApi, AlignedAlloc) {
  for (std::size_t alignment = 1; alignment <= (1u << 30); alignment *= 2) {
    void* const p = hak_aligned_alloc(alignment, 1000);
    ASSERT_NE(p, nullptr) << alignment;
    EXPECT_TRUE(aligned_to(p, alignment));
    hak_free_aligned_sized(p, alignment, 1000);
  }
  for (const std::size_t alignment : {std::size_t{0}, std::size_t{24}, std::size_t{1} << 31}) {
    errno = 0;
    void* const p = hak_aligned_alloc(opaque(alignment), 1000);
    EXPECT_EQ(p, nullptr) << alignment;
    EXPECT_EQ(errno, EINVAL) << alignment;
  }
}

TEST(HakApi, ReallocInItsCases) {
  void* p = hak_realloc(nullptr, 100);
  ASSERT_NE(p, nullptr);
  EXPECT_EQ(hak_realloc(p, opaque(std::size_t{0})), nullptr);
  p = hak_reallocarray(nullptr, 10, 10);
  ASSERT_NE(p, nullptr);
  pattern::fill(p, 100, 1);
  errno = 0;
  EXPECT_EQ(hak_reallocarray(p, opaque(SIZE_MAX / 2), 3), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_TRUE(pattern::holds(p, 100, 1));
  hak_free(p);
}

TEST(HakApi, ImpossibleSizes) {
  for (const std::size_t size : {static_cast<std::size_t>(PTRDIFF_MAX), SIZE_MAX - 64, SIZE_MAX}) {
    errno = 0;
    void* const p = hak_malloc(opaque(size));
    EXPECT_EQ(p, nullptr);
    EXPECT_EQ(errno, ENOMEM);
    errno = 0;
    void* const q = hak_calloc(opaque(size), 2);
    EXPECT_EQ(q, nullptr);
    EXPECT_EQ(errno, ENOMEM);
    EXPECT_EQ(hak_good_size(opaque(size)), 0u);
  }
}

TEST(HakApi, GoodSizeIsTheUsableSize) {
  for (const std::size_t size : sizes::around_class_borders(4u << 20)) {
    void* const p = hak_malloc(size);
    const std::size_t usable = hak_usable_size(p);
    EXPECT_GE(usable, hak_good_size(size)) << size;
    // A span that was freed before may be longer.
    EXPECT_LE(usable, hak_good_size(size) + (size > 65536 ? hak_good_size(size) / 4 : 0)) << size;
    EXPECT_GE(hak_good_size(size), size);
    EXPECT_EQ(hak_good_size(hak_good_size(size)), hak_good_size(size)) << size;
    hak_free(p);
  }
}

TEST(HakApi, FreeKeepsErrnoAndIgnoresNull) {
  errno = 4321;
  hak_free(nullptr);
  hak_free(hak_malloc(100));
  hak_free(hak_malloc(1u << 20));
  EXPECT_EQ(errno, 4321);
  EXPECT_EQ(hak_usable_size(nullptr), 0u);
}

TEST(HakApi, OneHeapWithTheStandardFunctions) {
  for (const std::size_t size : {1u, 700u, 10000u, 1u << 20}) {
    void* const p = hak_malloc(size);
    EXPECT_EQ(malloc_usable_size(p), hak_usable_size(p));
    std::free(p);
    void* q = std::malloc(size);
    EXPECT_EQ(malloc_usable_size(q), hak_usable_size(q));
    pattern::fill(q, size, 1);
    q = hak_realloc(q, 2 * size);
    EXPECT_TRUE(pattern::holds(q, size, 1));
    std::free(q);
    hak_free(std::aligned_alloc(512, size));
    ::operator delete(hak_malloc(size));
    hak_free(::operator new(size));
  }
}

TEST(HakApi, CollectReturnsMemoryAndBreaksNothing) {
  std::vector<void*> objects(50000);
  for (std::size_t i = 0; i < objects.size(); ++i) {
    objects[i] = hak_malloc(400);
    pattern::fill(objects[i], 400, i);
  }
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (i % 1000 != 0) hak_free(objects[i]);
  }
  EXPECT_GT(hak_collect(true), 0u);
  for (std::size_t i = 0; i < objects.size(); i += 1000) {
    EXPECT_TRUE(pattern::holds(objects[i], 400, i));
    hak_free(objects[i]);
  }
  hak_collect(false);
  hak_collect(true);
  void* const p = hak_calloc(400, 1);
  EXPECT_TRUE(pattern::is_zero(p, 400));
  hak_free(p);
}

TEST(HakApi, PrintStatsWritesATable) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
  hak_print_stats(ends[1]);
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  close(ends[0]);
  for (const char* band : {"C0", "C7"}) EXPECT_NE(text.find(band), std::string::npos) << text;
}

}  // namespace
