// A C++ program linked with the library: operator new is the library's, and throws.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "hakmem/hakmem.h"
#include "support/opaque.hpp"

int main() {
  auto one = std::make_unique<char[]>(1000);
  if (hak_usable_size(one.get()) != hak_good_size(1000)) return 1;
  std::map<std::string, std::vector<int>> map;
  std::thread([&map] {
    for (int i = 0; i < 10000; ++i) map[std::to_string(i % 700)].push_back(i);
  }).join();
  if (map.size() != 700) return 2;
  try {
    ::operator delete(::operator new(opaque(static_cast<std::size_t>(PTRDIFF_MAX))));
    return 3;
  } catch (const std::bad_alloc&) {
  }
  std::puts("ok");
  return 0;
}
