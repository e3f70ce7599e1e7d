// Sizes that cannot be had: NULL and ENOMEM, and the heap goes on. free keeps errno.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <vector>

#include "conformance/library.hpp"
#include "support/opaque.hpp"
#include "support/pattern.hpp"

namespace {

const std::vector<std::size_t> kImpossible{static_cast<std::size_t>(PTRDIFF_MAX) - 4096,
                                           static_cast<std::size_t>(PTRDIFF_MAX),
                                           static_cast<std::size_t>(PTRDIFF_MAX) + 1,
                                           SIZE_MAX - 65536,
                                           SIZE_MAX - 4096,
                                           SIZE_MAX - 16,
                                           SIZE_MAX - 1,
                                           SIZE_MAX};

void expect_enomem(const char* name, const std::function<void*(std::size_t)>& allocate) {
  for (const std::size_t size : kImpossible) {
    errno = 0;
    EXPECT_EQ(allocate(opaque(size)), nullptr) << name << ' ' << size;
    EXPECT_EQ(errno, ENOMEM) << name << ' ' << size;
    void* const p = std::malloc(100);
    ASSERT_NE(p, nullptr);
    pattern::fill(p, 100, 1);
    std::free(p);
  }
}

TEST(Errors, ImpossibleSizesGiveNullAndEnomem) {
  expect_enomem("malloc", [](std::size_t n) { return std::malloc(n); });
  expect_enomem("calloc", [](std::size_t n) { return std::calloc(1, n); });
  expect_enomem("calloc", [](std::size_t n) { return std::calloc(n, 1); });
  expect_enomem("realloc", [](std::size_t n) { return std::realloc(nullptr, n); });
  expect_enomem("reallocarray", [](std::size_t n) { return reallocarray(nullptr, n, 1); });
  expect_enomem("aligned_alloc", [](std::size_t n) { return std::aligned_alloc(16, n); });
  expect_enomem("aligned_alloc", [](std::size_t n) { return std::aligned_alloc(4096, n); });
  expect_enomem("aligned_alloc", [](std::size_t n) { return std::aligned_alloc(1u << 30, n); });
  expect_enomem("memalign", [](std::size_t n) { return memalign(64, n); });
  expect_enomem("valloc", [](std::size_t n) { return valloc(n); });
  expect_enomem("pvalloc", [](std::size_t n) { return pvalloc(n); });
}

TEST(Errors, CallocChecksTheProduct) {
  constexpr std::size_t kHalf = std::size_t{1} << 32;
  const std::pair<std::size_t, std::size_t> overflowing[] = {
      {kHalf, kHalf},     {SIZE_MAX, 2},           {2, SIZE_MAX},       {SIZE_MAX / 2 + 1, 2},
      {kHalf + 1, kHalf}, {SIZE_MAX / 16 + 2, 16}, {SIZE_MAX, SIZE_MAX}};
  for (const auto& [count, size] : overflowing) {
    errno = 0;
    EXPECT_EQ(std::calloc(opaque(count), opaque(size)), nullptr) << count << " * " << size;
    EXPECT_EQ(errno, ENOMEM) << count << " * " << size;
  }
}

TEST(Errors, FreeKeepsErrno) {
  std::vector<void*> objects;
  for (const std::size_t size : {1u, 100u, 1000u, 20000u, 100000u, 3u << 20, 80u << 20}) {
    for (int i = 0; i < 20; ++i) objects.push_back(std::malloc(size));
  }
  for (void* p : objects) {
    errno = 4321;
    std::free(p);
    ASSERT_EQ(errno, 4321);
  }
  for (int round = 0; round < 3; ++round) {  // many, so that slow paths are taken
    for (void*& p : objects) p = nullptr;
    objects.resize(20000, nullptr);
    for (void*& p : objects) p = std::malloc(640);
    for (void* p : objects) {
      errno = 4321;
      std::free(p);
      ASSERT_EQ(errno, 4321);
    }
  }
}

TEST(Errors, SuccessKeepsErrno) {
  for (const std::size_t size : {1u, 1000u, 20000u, 3u << 20}) {
    errno = 4321;
    void* const p = std::malloc(size);
    std::free(p);
    free_sized(std::malloc(size), size);
    EXPECT_EQ(errno, 4321) << size;
  }
}

}  // namespace
