// Every replaceable operator new and delete, and what happens when memory cannot be had.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "conformance/library.hpp"
#include "support/opaque.hpp"
#include "support/pattern.hpp"

namespace {

constexpr std::align_val_t kAlign{256};
constexpr std::size_t kTooMuch = static_cast<std::size_t>(PTRDIFF_MAX);

// A form of new, whether it takes an alignment and whether it throws.
struct New {
  const char* name;
  void* (*call)(std::size_t);
  bool array, aligned, throws;
};

struct Delete {
  const char* name;
  void (*call)(void*, std::size_t);
  bool array, aligned;
};

const New kNews[] = {
    {"new", [](std::size_t n) { return ::operator new(n); }, false, false, true},
    {"new nothrow", [](std::size_t n) { return ::operator new(n, std::nothrow); }, false, false,
     false},
    {"new aligned", [](std::size_t n) { return ::operator new(n, kAlign); }, false, true, true},
    {"new aligned nothrow", [](std::size_t n) { return ::operator new(n, kAlign, std::nothrow); },
     false, true, false},
    {"new[]", [](std::size_t n) { return ::operator new[](n); }, true, false, true},
    {"new[] nothrow", [](std::size_t n) { return ::operator new[](n, std::nothrow); }, true, false,
     false},
    {"new[] aligned", [](std::size_t n) { return ::operator new[](n, kAlign); }, true, true, true},
    {"new[] aligned nothrow",
     [](std::size_t n) { return ::operator new[](n, kAlign, std::nothrow); }, true, true, false}};

const Delete kDeletes[] = {
    {"delete", [](void* p, std::size_t) { ::operator delete(p); }, false, false},
    {"delete nothrow", [](void* p, std::size_t) { ::operator delete(p, std::nothrow); }, false,
     false},
    {"delete sized", [](void* p, std::size_t n) { ::operator delete(p, n); }, false, false},
    {"delete aligned", [](void* p, std::size_t) { ::operator delete(p, kAlign); }, false, true},
    {"delete aligned nothrow",
     [](void* p, std::size_t) { ::operator delete(p, kAlign, std::nothrow); }, false, true},
    {"delete sized aligned", [](void* p, std::size_t n) { ::operator delete(p, n, kAlign); }, false,
     true},
    {"delete[]", [](void* p, std::size_t) { ::operator delete[](p); }, true, false},
    {"delete[] nothrow", [](void* p, std::size_t) { ::operator delete[](p, std::nothrow); }, true,
     false},
    {"delete[] sized", [](void* p, std::size_t n) { ::operator delete[](p, n); }, true, false},
    {"delete[] aligned", [](void* p, std::size_t) { ::operator delete[](p, kAlign); }, true, true},
    {"delete[] aligned nothrow",
     [](void* p, std::size_t) { ::operator delete[](p, kAlign, std::nothrow); }, true, true},
    {"delete[] sized aligned", [](void* p, std::size_t n) { ::operator delete[](p, n, kAlign); },
     true, true}};

// Restores the handler whatever a test does.
class HandlerGuard {
 public:
  explicit HandlerGuard(std::new_handler handler) : old_(std::set_new_handler(handler)) {}
  ~HandlerGuard() { std::set_new_handler(old_); }
  HandlerGuard(const HandlerGuard&) = delete;
  HandlerGuard& operator=(const HandlerGuard&) = delete;

 private:
  std::new_handler old_;
};

TEST(Operators, EveryNewWithEveryMatchingDelete) {
  for (const New& allocate : kNews) {
    for (const Delete& release : kDeletes) {
      if (allocate.array != release.array || allocate.aligned != release.aligned) continue;
      for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100},
                                     std::size_t{1000}, std::size_t{9000}, std::size_t{1} << 20}) {
        std::set<void*> seen;
        for (int i = 0; i < 20; ++i) {
          void* const p = allocate.call(size);
          ASSERT_NE(p, nullptr) << allocate.name;
          EXPECT_TRUE(seen.insert(p).second) << allocate.name;
          EXPECT_TRUE(aligned_to(p, allocate.aligned ? 256 : 16)) << allocate.name;
          EXPECT_GE(malloc_usable_size(p), size) << allocate.name << " is not of this library";
          pattern::fill(p, size, 1);
        }
        for (void* p : seen) release.call(p, size);
      }
    }
  }
}

TEST(Operators, DeleteOfNullDoesNothing) {
  for (const Delete& release : kDeletes) release.call(nullptr, 16);
  SUCCEED();
}

TEST(Operators, FailureThrowsOrReturnsNull) {
  for (const New& allocate : kNews) {
    bool caught = false;
    void* p = nullptr;
    try {
      p = allocate.call(opaque(kTooMuch));
    } catch (const std::bad_alloc& error) {
      caught = std::string(error.what()) == "std::bad_alloc";
    }
    EXPECT_EQ(p, nullptr) << allocate.name;
    EXPECT_EQ(caught, allocate.throws) << allocate.name;
  }
}

int handler_calls = 0;

TEST(Operators, NewHandlerIsCalledUntilItGivesUp) {
  for (const New& allocate : kNews) {
    const HandlerGuard guard([] {
      if (++handler_calls == 3) std::set_new_handler(nullptr);
    });
    handler_calls = 0;
    bool caught = false;
    try {
      EXPECT_EQ(allocate.call(opaque(kTooMuch)), nullptr);
    } catch (const std::bad_alloc&) {
      caught = true;
    }
    EXPECT_EQ(handler_calls, 3) << allocate.name;
    EXPECT_EQ(caught, allocate.throws) << allocate.name;
  }
}

struct Special : std::bad_alloc {};

TEST(Operators, WhatTheNewHandlerThrowsIsPassedOn) {
  const HandlerGuard guard([] { throw Special(); });
  for (const New& allocate : kNews) {
    bool caught = false;
    try {
      EXPECT_EQ(allocate.call(opaque(kTooMuch)), nullptr);
    } catch (const Special&) {
      caught = true;
    }
    EXPECT_EQ(caught, allocate.throws) << allocate.name;
  }
}

struct alignas(1024) Wide {
  char bytes[3000];
};

TEST(Operators, NewExpressionsAndContainers) {
  auto* const one = new Wide;
  auto* const many = new Wide[5];
  EXPECT_TRUE(aligned_to(opaque(one), 1024));
  EXPECT_TRUE(aligned_to(opaque(many), 1024));
  delete one;
  delete[] many;
  std::vector<std::string> words;
  for (int i = 0; i < 10000; ++i)
    words.push_back(std::string(static_cast<std::size_t>(i % 200), 'x'));
  for (int i = 0; i < 10000; ++i) ASSERT_EQ(words[static_cast<std::size_t>(i)].size(), i % 200u);
  EXPECT_THROW(words.reserve(words.max_size()), std::bad_alloc);
}

}  // namespace
