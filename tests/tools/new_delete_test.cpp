// new_delete.hpp: this whole program, GoogleTest included, has its operators from HAKMEM.
#include <gtest/gtest.h>

#include <cstdint>
#include <hakmem/new_delete.hpp>
#include <limits>

namespace {

constexpr auto kAlignment = static_cast<std::align_val_t>(256);

// Not a constant, or the compiler refuses the request itself.
volatile std::size_t too_much = std::numeric_limits<std::size_t>::max() / 2;

bool is_ours(const void* p, std::size_t size) { return hak_usable_size(p) == hak_good_size(size); }

bool is_aligned(const void* p) {
  return reinterpret_cast<std::uintptr_t>(p) % static_cast<std::size_t>(kAlignment) == 0;
}

TEST(NewDelete, PlainFormsAreReplaced) {
  void* p = ::operator new(33);
  EXPECT_TRUE(is_ours(p, 33));
  ::operator delete(p);
  p = ::operator new[](33);
  EXPECT_TRUE(is_ours(p, 33));
  ::operator delete[](p);
  p = ::operator new(33, std::nothrow);
  EXPECT_TRUE(is_ours(p, 33));
  ::operator delete(p, std::nothrow);
  p = ::operator new[](33, std::nothrow);
  EXPECT_TRUE(is_ours(p, 33));
  ::operator delete[](p, std::nothrow);
}

TEST(NewDelete, AlignedFormsAreReplaced) {
  void* p = ::operator new(33, kAlignment);
  EXPECT_TRUE(is_aligned(p));
  EXPECT_GE(hak_usable_size(p), 33U);
  ::operator delete(p, kAlignment);
  p = ::operator new[](33, kAlignment);
  EXPECT_TRUE(is_aligned(p));
  ::operator delete[](p, kAlignment);
  p = ::operator new(33, kAlignment, std::nothrow);
  EXPECT_TRUE(is_aligned(p));
  ::operator delete(p, kAlignment, std::nothrow);
  p = ::operator new[](33, kAlignment, std::nothrow);
  EXPECT_TRUE(is_aligned(p));
  ::operator delete[](p, kAlignment, std::nothrow);
}

TEST(NewDelete, SizedFormsRelease) {
  ::operator delete (::operator new(100), std::size_t{100});
  ::operator delete[](::operator new[](100), std::size_t{100});
  ::operator delete (::operator new(100, kAlignment), std::size_t{100}, kAlignment);
  ::operator delete[](::operator new[](100, kAlignment), std::size_t{100}, kAlignment);
  ::operator delete(nullptr);
  ::operator delete[](nullptr, kAlignment);
}

TEST(NewDelete, FailureThrowsOrGivesNull) {
  EXPECT_THROW((void)::operator new(too_much), std::bad_alloc);
  EXPECT_THROW((void)::operator new[](too_much), std::bad_alloc);
  EXPECT_THROW((void)::operator new(too_much, kAlignment), std::bad_alloc);
  EXPECT_THROW((void)::operator new[](too_much, kAlignment), std::bad_alloc);
  EXPECT_EQ(::operator new(too_much, std::nothrow), nullptr);
  EXPECT_EQ(::operator new[](too_much, std::nothrow), nullptr);
  EXPECT_EQ(::operator new(too_much, kAlignment, std::nothrow), nullptr);
  EXPECT_EQ(::operator new[](too_much, kAlignment, std::nothrow), nullptr);
}

int handler_calls = 0;

// Tries twice, then gives up the one way, or the other.
void handler_that_resigns() {
  if (++handler_calls == 3) std::set_new_handler(nullptr);
}
struct GivenUp : std::bad_alloc {};
void handler_that_throws() {
  if (++handler_calls == 3) throw GivenUp();
}

TEST(NewDelete, TheNewHandlerIsCalledUntilItGivesUp) {
  handler_calls = 0;
  std::set_new_handler(handler_that_resigns);
  EXPECT_THROW((void)::operator new(too_much), std::bad_alloc);
  EXPECT_EQ(handler_calls, 3);

  handler_calls = 0;
  std::set_new_handler(handler_that_throws);
  EXPECT_THROW((void)::operator new[](too_much, kAlignment), GivenUp);
  EXPECT_EQ(handler_calls, 3);

  handler_calls = 0;
  EXPECT_EQ(::operator new(too_much, std::nothrow), nullptr);
  EXPECT_EQ(handler_calls, 3);
  std::set_new_handler(nullptr);
}

}  // namespace
