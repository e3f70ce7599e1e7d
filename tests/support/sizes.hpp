// Sizes at which an allocator changes its mind: every border of the size classes, and around them.
#pragma once

#include <cstddef>
#include <vector>

namespace sizes {

// 16 B apart to 128, then four a doubling: each border with its neighbours.
inline std::vector<std::size_t> around_class_borders(std::size_t limit) {
  std::vector<std::size_t> result{0, 1, 8};
  auto add = [&](std::size_t border) {
    for (std::size_t size : {border - 1, border, border + 1}) {
      if (size <= limit) result.push_back(size);
    }
  };
  for (std::size_t border = 16; border < 128; border += 16) add(border);
  for (std::size_t doubling = 128; doubling <= limit; doubling *= 2) {
    for (std::size_t quarter = 0; quarter < 4; ++quarter) add(doubling + quarter * (doubling / 4));
  }
  return result;
}

}  // namespace sizes
