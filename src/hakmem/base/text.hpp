// Text built in a fixed buffer: messages must not allocate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hakmem {

// Writes to a file descriptor, keeping errno; errors are nobody's to hear and are dropped.
void write_all(int fd, std::string_view words);

// Reads decimal digits; returns what follows them, or null where there are none or too many.
const char* parse_decimal(const char* text, std::uint64_t& value);

// Appends until the buffer is full; what does not fit is cut.
class Text {
 public:
  Text& add(std::string_view words);
  Text& add_number(std::uint64_t value, unsigned width = 0);  // right-aligned in `width` columns
  Text& add_pointer(const void* p);                           // 0x and hexadecimal digits

  // Valid as long as the text is, and not changed.
  std::string_view view() const { return {buffer_, length_}; }

  void write_to(int fd) const { write_all(fd, view()); }

 private:
  void put(char c);

  std::size_t length_ = 0;
  char buffer_[400];
};

}  // namespace hakmem
