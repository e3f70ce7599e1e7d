// hakmem.hpp: the allocator and the memory resource.
#include <gtest/gtest.h>

#include <cstdint>
#include <hakmem/hakmem.hpp>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

template <class T>
using Allocator = hakmem::allocator<T>;
template <class T>
using Vector = std::vector<T, Allocator<T>>;

struct alignas(4096) Page {
  char bytes[4096];
};

struct Tree {
  int value;
  Vector<Tree> children;  // an incomplete type here
};

std::size_t remainder(const void* p, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(p) % alignment;
}

static_assert(std::is_empty<Allocator<int>>::value, "containers must not grow");
static_assert(std::allocator_traits<Allocator<int>>::is_always_equal::value, "stateless");
static_assert(
    std::is_same<std::allocator_traits<Allocator<int>>::rebind_alloc<char>, Allocator<char>>::value,
    "rebinds");

TEST(AllocatorTest, ServesContainers) {
  Vector<int> numbers;
  std::map<int, int, std::less<>, Allocator<std::pair<const int, int>>> squares;
  std::list<int, Allocator<int>> listed;
  std::unordered_map<int, int, std::hash<int>, std::equal_to<>,
                     Allocator<std::pair<const int, int>>>
      hashed;
  for (int i = 0; i < 10000; ++i) {
    numbers.push_back(i);
    squares[i] = i * i;
    listed.push_front(i);
    hashed[i] = -i;
  }
  for (int i = 0; i < 10000; ++i) {
    ASSERT_EQ(numbers[static_cast<std::size_t>(i)], i);
    ASSERT_EQ(squares[i], i * i);
    ASSERT_EQ(hashed[i], -i);
  }
  EXPECT_EQ(listed.front(), 9999);
  std::basic_string<char, std::char_traits<char>, Allocator<char>> text(100000, 'x');
  EXPECT_EQ(text.find('y'), text.npos);
  const Tree tree{1, Vector<Tree>{Tree{2, {}}, Tree{3, {}}}};
  EXPECT_EQ(tree.children[1].value, 3);
}

TEST(AllocatorTest, MovesAndSwapsWithoutCopying) {
  Vector<int> first(1000, 1);
  Vector<int> second(2000, 2);
  const int* storage = first.data();
  first.swap(second);
  EXPECT_EQ(second.data(), storage);
  first = std::move(second);
  EXPECT_EQ(first.data(), storage);
}

TEST(AllocatorTest, WorksWithSharedPointers) {
  const auto shared = std::allocate_shared<std::string>(Allocator<int>(), "text");
  EXPECT_EQ(*shared, "text");
}

TEST(AllocatorTest, AllInstancesAreEqual) {
  EXPECT_TRUE(Allocator<int>() == Allocator<char>());
  EXPECT_FALSE(Allocator<int>() != Allocator<Page>());
}

TEST(AllocatorTest, HonoursOverAlignedTypes) {
  Vector<Page> pages;
  for (int i = 0; i < 50; ++i) {
    pages.emplace_back();
    ASSERT_EQ(remainder(pages.data(), 4096), 0U);
  }
}

TEST(AllocatorTest, GivesUniquePointersForNothing) {
  Allocator<int> allocator;
  int* first = allocator.allocate(0);
  int* second = allocator.allocate(0);
  EXPECT_NE(first, nullptr);
  EXPECT_NE(first, second);
  allocator.deallocate(first, 0);
  allocator.deallocate(second, 0);
}

TEST(AllocatorTest, TellsOverflowFromExhaustion) {
  Allocator<std::uint64_t> allocator;
  const std::size_t limit = std::numeric_limits<std::size_t>::max() / sizeof(std::uint64_t);
  EXPECT_THROW((void)allocator.allocate(limit + 1), std::bad_array_new_length);
  try {
    (void)allocator.allocate(limit);
    FAIL() << "more than the address space was allocated";
  } catch (const std::bad_array_new_length&) {
    FAIL() << "the product fits";
  } catch (const std::bad_alloc&) {
    SUCCEED();
  }
  EXPECT_THROW((void)Allocator<Page>().allocate(limit / sizeof(Page)), std::bad_alloc);
}

TEST(AllocatorTest, AllocateAtLeastTellsTheRoomThereIs) {
  Allocator<std::uint32_t> allocator;
  for (std::size_t count = 0; count < 3000; count += 7) {
    const auto result = allocator.allocate_at_least(count);
    ASSERT_GE(result.count, count);
    ASSERT_EQ(result.count, hak_usable_size(result.ptr) / sizeof(std::uint32_t));
    for (std::size_t i = 0; i < result.count; ++i) result.ptr[i] = 0xa5a5a5a5;
    allocator.deallocate(result.ptr, result.count);
  }
}

TEST(MemoryResourceTest, ServesPmrContainers) {
  std::pmr::vector<std::pmr::string> texts(hakmem::get_memory_resource());
  for (int i = 0; i < 1000; ++i) texts.emplace_back(static_cast<std::size_t>(i), 'x');
  EXPECT_EQ(texts[999].size(), 999U);
  EXPECT_EQ(texts[999].get_allocator().resource(), hakmem::get_memory_resource());
}

TEST(MemoryResourceTest, HonoursAlignment) {
  std::pmr::memory_resource* resource = hakmem::get_memory_resource();
  for (std::size_t alignment = 1; alignment <= 65536; alignment *= 2) {
    void* p = resource->allocate(100, alignment);
    EXPECT_EQ(remainder(p, alignment), 0U);
    resource->deallocate(p, 100, alignment);
  }
}

TEST(MemoryResourceTest, ThrowsWhenMemoryCannotBeHad) {
  std::pmr::memory_resource* resource = hakmem::get_memory_resource();
  const std::size_t too_much = std::numeric_limits<std::size_t>::max() / 2;
  volatile std::size_t not_a_power = 24;  // unknown to the compiler, which would complain
  EXPECT_THROW((void)resource->allocate(too_much, 8), std::bad_alloc);
  EXPECT_THROW((void)resource->allocate(too_much, 64), std::bad_alloc);
  EXPECT_THROW((void)resource->allocate(64, not_a_power), std::bad_alloc);
  EXPECT_THROW((void)resource->allocate(64, not_a_power / 2), std::bad_alloc);
}

TEST(MemoryResourceTest, IsEqualToItsLikeAlone) {
  const hakmem::memory_resource other;
  EXPECT_TRUE(hakmem::get_memory_resource()->is_equal(other));
  EXPECT_FALSE(hakmem::get_memory_resource()->is_equal(*std::pmr::new_delete_resource()));
}

TEST(HeapTest, ServesContainersAndReleasesWhatTheyForgot) {
  hakmem::heap heap;
  using Texts = std::pmr::vector<std::pmr::string>;
  // Never destroyed: its memory goes with the heap.
  auto* texts = ::new (heap.allocate(sizeof(Texts), alignof(Texts))) Texts(&heap);
  for (int i = 0; i < 1000; ++i) texts->emplace_back(static_cast<std::size_t>(i), 'x');
  EXPECT_EQ((*texts)[999].size(), 999U);
  EXPECT_EQ((*texts)[999].get_allocator().resource(), &heap);
  EXPECT_GT(heap.stats().live_objects, 900U);
  EXPECT_GT(heap.stats().live_bytes, 1000U * 999 / 2);
}

TEST(HeapTest, CountsWhatLives) {
  hakmem::heap heap;
  void* small = heap.allocate(100, 8);
  void* page = heap.allocate(100, 4096);
  void* large = heap.allocate(1 << 20, 64);
  EXPECT_EQ(remainder(page, 4096), 0U);
  EXPECT_EQ(heap.stats().live_objects, 3U);
  EXPECT_GE(heap.stats().held_bytes, heap.stats().live_bytes);
  heap.deallocate(small, 100, 8);
  heap.deallocate(page, 100, 4096);
  hak_free(large);
  EXPECT_EQ(heap.stats().live_objects, 0U);
  EXPECT_EQ(heap.stats().live_bytes, 0U);
}

TEST(HeapTest, ThrowsWhenMemoryCannotBeHad) {
  hakmem::heap heap;
  volatile std::size_t not_a_power = 24;
  EXPECT_THROW((void)heap.allocate(std::numeric_limits<std::size_t>::max() / 2, 8), std::bad_alloc);
  EXPECT_THROW((void)heap.allocate(64, not_a_power), std::bad_alloc);
}

TEST(HeapTest, IsEqualToItselfAlone) {
  const hakmem::heap one;
  const hakmem::heap other;
  EXPECT_NE(one.get(), other.get());
  EXPECT_TRUE(one.is_equal(one));
  EXPECT_FALSE(one.is_equal(other));
  EXPECT_FALSE(hakmem::get_memory_resource()->is_equal(one));
}

}  // namespace
