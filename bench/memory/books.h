// A workload's own books: memory from the system, resident from the start, so that it can be taken
// out of what is measured.
#pragma once

#include <cstddef>
#include <cstring>

#include "../threads/pages.h"

namespace bench {

// Zeroed, for the life of the process.
template <class T>
T* open_books(std::size_t count) {
  T* books = map_zeroed<T>(count);
  std::memset(static_cast<void*>(books), 0, count * sizeof(T));
  return books;
}

}  // namespace bench
