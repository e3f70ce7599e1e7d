// Objects filled with a byte that is made of their address: what was handed out twice, or given
// back to the system while it was in use, is found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "../threads/fault.h"

namespace bench {

inline unsigned char byte_of(const void* object) {
  return static_cast<unsigned char>(
      (reinterpret_cast<std::uintptr_t>(object) >> 4) * 0x9E3779B97F4A7C15U >> 56);
}

inline unsigned char* make_filled(std::size_t size) {
  auto* object = static_cast<unsigned char*>(std::malloc(size));
  if (object == nullptr) fault("malloc failed");
  std::memset(object, byte_of(object), size);
  return object;
}

inline void check_filled(const unsigned char* object, std::size_t size) {
  const unsigned char byte = byte_of(object);
  // Each byte is like the one before it.
  if (object[0] != byte || std::memcmp(object, object + 1, size - 1) != 0)
    fault("content check failed: an object is not what was written there");
}

inline void drop_filled(unsigned char* object, std::size_t size) {
  if (object[0] != byte_of(object) || object[size - 1] != byte_of(object))
    fault("content check failed: an object is not what was written there");
  object[0] = static_cast<unsigned char>(~object[0]);  // of two owners, the second finds this
  std::free(object);
}

}  // namespace bench
