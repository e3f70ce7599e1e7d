#include "hakmem/base/text.hpp"

#include <unistd.h>

#include "hakmem/base/platform.hpp"

namespace hakmem {

void Text::put(char c) {
  if (length_ < sizeof buffer_) buffer_[length_++] = c;
}

Text& Text::add(std::string_view words) {
  for (const char c : words) put(c);
  return *this;
}

Text& Text::add_number(std::uint64_t value, unsigned width) {
  char digits[20];
  unsigned count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  for (unsigned i = count; i < width; ++i) put(' ');
  while (count > 0) put(digits[--count]);
  return *this;
}

Text& Text::add_pointer(const void* p) {
  const auto value = reinterpret_cast<std::uintptr_t>(p);
  add("0x");
  int shift = 60;
  while (shift > 0 && (value >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) put("0123456789abcdef"[(value >> shift) & 15]);
  return *this;
}

const char* parse_decimal(const char* text, std::uint64_t& value) {
  value = 0;
  const char* c = text;
  for (; *c >= '0' && *c <= '9'; ++c) {
    const auto digit = static_cast<std::uint64_t>(*c - '0');
    if (value > (UINT64_MAX - digit) / 10) return nullptr;
    value = value * 10 + digit;
  }
  return c == text ? nullptr : c;
}

void write_all(int fd, std::string_view words) {
  const KeepErrno keep;
  while (!words.empty()) {
    const ssize_t n = ::write(fd, words.data(), words.size());
    if (n <= 0 && errno != EINTR) break;
    if (n > 0) words.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace hakmem
