// aligned_alloc, posix_memalign, memalign, valloc, pvalloc: every alignment from 1 B to 1 GiB.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <vector>

#include "conformance/library.hpp"
#include "support/opaque.hpp"
#include "support/pattern.hpp"

namespace {

constexpr std::size_t kLargest = std::size_t{1} << 30;

using Allocate = std::function<void*(std::size_t alignment, std::size_t size)>;

void* by_posix_memalign(std::size_t alignment, std::size_t size) {
  void* p = nullptr;
  return posix_memalign(&p, alignment, size) == 0 ? p : nullptr;
}

void check_all(std::size_t smallest, const Allocate& allocate) {
  for (std::size_t alignment = smallest; alignment <= kLargest; alignment *= 2) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{24}, std::size_t{64}, std::size_t{100},
          std::size_t{1000}, std::size_t{4096}, std::size_t{40000}, std::size_t{300000}}) {
      std::vector<void*> objects;
      const std::size_t count = alignment <= 65536 ? 5 : 2;
      for (std::size_t i = 0; i < count; ++i) {
        void* const p = allocate(opaque(alignment), size);
        ASSERT_NE(p, nullptr) << "alignment " << alignment << " size " << size;
        EXPECT_TRUE(aligned_to(p, alignment)) << "alignment " << alignment << " size " << size;
        EXPECT_GE(malloc_usable_size(p), size);
        pattern::fill(p, size, i);
        objects.push_back(p);
      }
      for (std::size_t i = 0; i < count; ++i) {
        EXPECT_TRUE(pattern::holds(objects[i], size, i)) << alignment << ' ' << size;
        std::free(objects[i]);
      }
    }
  }
}

TEST(Alignment, AlignedAlloc) {
  check_all(1, [](std::size_t a, std::size_t n) { return std::aligned_alloc(a, n); });
}

TEST(Alignment, Memalign) {
  check_all(1, [](std::size_t a, std::size_t n) { return memalign(a, n); });
}

TEST(Alignment, PosixMemalign) { check_all(sizeof(void*), by_posix_memalign); }

// As large as the alignment itself, without a page of it touched.
TEST(Alignment, LargeObjectsAtLargeAlignments) {
  for (std::size_t alignment = 1u << 16; alignment <= kLargest; alignment *= 2) {
    void* const p = std::aligned_alloc(opaque(alignment), alignment);
    ASSERT_NE(p, nullptr) << alignment;
    EXPECT_TRUE(aligned_to(p, alignment)) << alignment;
    std::free(p);
  }
}

TEST(Alignment, ManySmallObjectsAtOnce) {
  for (std::size_t alignment = 16; alignment <= 4096; alignment *= 2) {
    for (const std::size_t size : {alignment / 2, alignment, 3 * alignment}) {
      std::vector<void*> objects(500);
      for (std::size_t i = 0; i < objects.size(); ++i) {
        objects[i] = std::aligned_alloc(alignment, size);
        ASSERT_TRUE(objects[i] != nullptr && aligned_to(objects[i], alignment));
        pattern::fill(objects[i], size, i);
      }
      for (std::size_t i = 0; i < objects.size(); ++i) {
        ASSERT_TRUE(pattern::holds(objects[i], size, i)) << alignment << ' ' << size;
        std::free(objects[i]);
      }
    }
  }
}

TEST(Alignment, VallocAndPvallocGivePages) {
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  for (const std::size_t size : {std::size_t{1}, page - 1, page, page + 1, 10 * page + 5}) {
    void* const v = valloc(size);
    void* const pv = pvalloc(size);
    ASSERT_TRUE(v != nullptr && pv != nullptr);
    EXPECT_TRUE(aligned_to(v, page));
    EXPECT_TRUE(aligned_to(pv, page));
    EXPECT_GE(malloc_usable_size(v), size);
    EXPECT_GE(malloc_usable_size(pv), (size + page - 1) / page * page);
    std::free(v);
    std::free(pv);
  }
}

TEST(Alignment, PosixMemalignRefusesBadAlignmentsAndTouchesNothing) {
  for (const std::size_t alignment :
       {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{4}, std::size_t{24},
        std::size_t{48}, std::size_t{4097}}) {
    void* const before = reinterpret_cast<void*>(0x5a5a);
    void* p = before;
    errno = 77;
    EXPECT_EQ(posix_memalign(&p, opaque(alignment), 100), EINVAL) << alignment;
    EXPECT_EQ(p, before) << alignment;
    EXPECT_EQ(errno, 77) << alignment;
  }
}

TEST(Alignment, PosixMemalignReturnsEnomemAndLeavesThePointer) {
  for (const std::size_t size :
       {SIZE_MAX, SIZE_MAX - 4096, static_cast<std::size_t>(PTRDIFF_MAX)}) {
    void* const before = reinterpret_cast<void*>(0x5a5a);
    void* p = before;
    EXPECT_EQ(posix_memalign(&p, 64, opaque(size)), ENOMEM) << size;
    EXPECT_EQ(p, before) << size;
  }
}

TEST(Alignment, AlignedAllocRefusesWhatIsNoPowerOfTwo) {
  for (const std::size_t alignment : {std::size_t{24}, std::size_t{48}, std::size_t{1000}}) {
    errno = 0;
    void* const p = std::aligned_alloc(opaque(alignment), 1000);
    EXPECT_EQ(p, nullptr) << alignment;
    EXPECT_EQ(errno, EINVAL) << alignment;
  }
}

TEST(Alignment, ReallocOfAnAlignedObjectKeepsContent) {
  for (std::size_t alignment = 16; alignment <= (4u << 20); alignment *= 4) {
    void* p = std::aligned_alloc(alignment, 1000);
    pattern::fill(p, 1000, alignment);
    for (const std::size_t size : {5000u, 200000u, 1500u}) {
      p = std::realloc(p, size);
      ASSERT_NE(p, nullptr);
      EXPECT_TRUE(pattern::holds(p, 1000, alignment)) << alignment << " to " << size;
    }
    std::free(p);
  }
}

}  // namespace
