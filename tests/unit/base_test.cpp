// base/: arithmetic, text without allocation, the fatal line.
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <random>

#include "child.hpp"
#include "hakmem/base/bits.hpp"
#include "hakmem/base/fatal.hpp"
#include "hakmem/base/text.hpp"

namespace hakmem {
namespace {

TEST(Bits, PowersOfTwo) {
  EXPECT_FALSE(is_power_of_two(0));
  for (unsigned i = 0; i < 64; ++i) {
    const std::size_t power = std::size_t{1} << i;
    EXPECT_TRUE(is_power_of_two(power));
    if (i > 1) {
      EXPECT_FALSE(is_power_of_two(power - 1));
      EXPECT_FALSE(is_power_of_two(power + 1));
    }
  }
}

TEST(Bits, AlignmentIsTheNearestMultiple) {
  for (std::size_t alignment = 1; alignment <= 4096; alignment *= 2) {
    for (std::size_t x = 0; x < 3 * 4096; ++x) {
      ASSERT_EQ(align_down(x, alignment), x / alignment * alignment);
      ASSERT_EQ(align_up(x, alignment), (x + alignment - 1) / alignment * alignment);
    }
  }
}

TEST(Bits, LowestAndCount) {
  std::mt19937_64 random(1);
  for (unsigned i = 0; i < 64; ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    const std::uint64_t word = (random() << 1 | 1) << i;
    EXPECT_EQ(lowest_bit(word), i);
    EXPECT_EQ(count_bits(bit - 1), i);
    EXPECT_EQ(count_bits(word), count_bits(word & ~bit) + 1);
  }
}

TEST(Bits, OffsetsAndAddresses) {
  std::uint32_t array[4] = {1, 2, 3, 4};
  EXPECT_EQ(address_of(array + 1) - address_of(array), sizeof array[0]);
}

std::string written(const Text& text) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  text.write_to(ends[1]);
  close(ends[1]);
  char buffer[1000];
  const ssize_t n = read(ends[0], buffer, sizeof buffer);
  close(ends[0]);
  return {buffer, n > 0 ? static_cast<std::size_t>(n) : 0};
}

// The reference: what printf makes of the same.
template <typename... Values>
std::string printed(const char* format, Values... values) {
  char buffer[1000];
  std::snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

TEST(TextTest, NumbersAsPrintfWritesThem) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t value = random() >> random() % 64;
    const auto width = static_cast<unsigned>(random() % 30);
    EXPECT_EQ(written(Text().add_number(value, width)),
              printed("%*" PRIu64, static_cast<int>(width), value));
    EXPECT_EQ(written(Text().add_pointer(reinterpret_cast<void*>(value))),
              printed("0x%" PRIx64, value));
  }
  EXPECT_EQ(written(Text().add_number(0)), "0");
  EXPECT_EQ(written(Text().add_number(UINT64_MAX)), "18446744073709551615");
  EXPECT_EQ(written(Text().add_pointer(nullptr)), "0x0");
}

TEST(TextTest, PiecesFollowEachOther) {
  EXPECT_EQ(written(Text().add("a").add("").add("bc").add("|")), "abc|");
  EXPECT_EQ(written(Text()), "");
}

TEST(TextTest, WhatDoesNotFitIsCut) {
  const std::string words(399, 'x');
  EXPECT_EQ(written(Text().add(words.c_str()).add_number(123)), words + "1");
  EXPECT_EQ(written(Text().add(words.c_str()).add("yz")), words + "y");
  EXPECT_EQ(written(Text().add(words.c_str()).add_pointer(nullptr)), words + "0");
  EXPECT_EQ(written(Text().add_number(7, 1000)), std::string(400, ' '));
}

TEST(TextTest, WritingKeepsErrno) {
  errno = 77;
  Text().add("lost").write_to(-1);
  EXPECT_EQ(errno, 77);
}

TEST(Fatal, OneLineThenAbort) {
  const void* p = reinterpret_cast<const void*>(0x1234);
  const auto line = [](const Outcome& o) { return o.messages().empty() ? "" : o.messages()[0]; };
  Outcome o = run_in_child([&] { fatal_pointer("double free of", p, 64); });
  EXPECT_TRUE(o.aborted());
  EXPECT_EQ(o.messages().size(), 1u);
  EXPECT_EQ(line(o), "hakmem: double free of 0x1234 (64-byte object)");
  o = run_in_child([&] { fatal_pointer("invalid pointer:", p); });
  EXPECT_TRUE(o.aborted());
  EXPECT_EQ(line(o), "hakmem: invalid pointer: 0x1234");
  o = run_in_child([] { fatal("no more"); });
  EXPECT_TRUE(o.aborted());
  EXPECT_EQ(line(o), "hakmem: no more");
}

}  // namespace
}  // namespace hakmem
