// Large objects grow and shrink for long: how many mappings that leaves.
#include <cstdint>
#include <fstream>
#include <limits>
#include <vector>

#include "system/scenarios/scenario.hpp"

namespace {

std::size_t mappings() {
  std::ifstream file("/proc/self/maps");
  std::size_t lines = 0;
  while (file.ignore(std::numeric_limits<std::streamsize>::max(), '\n')) ++lines;
  return lines;
}

std::uint32_t random_number() {
  static std::uint32_t state = 1;
  state = state * 1664525 + 1013904223;
  return state >> 8;
}

struct Object {
  char* p = nullptr;
  std::size_t size = 0;
};

// Some sizes at random, some by small steps. Only the ends are written.
void resize(Object& o) {
  const std::size_t size = random_number() % 4 == 0 ? o.size + 100000
                                                    : (std::size_t{65536} << random_number() % 8) +
                                                          random_number() % 60000;
  o.p = static_cast<char*>(std::realloc(o.p, size));
  REQUIRE(o.p != nullptr && (o.size == 0 || o.p[0] == 'a'));
  if (size >= o.size && o.size != 0) REQUIRE(o.p[o.size - 1] == 'z');
  o.p[0] = 'a';
  o.p[size - 1] = 'z';
  o.size = size;
}

}  // namespace

SCENARIO(reallocs_leave_few_mappings) {
  std::vector<Object> objects(300);
  const std::size_t before = mappings();
  for (int i = 0; i < scenario::scaled(8'000); ++i) {
    resize(objects[random_number() % objects.size()]);
    if (i % 1000 == 999) REQUIRE(mappings() <= before + 1000);
  }
  for (const Object& o : objects) std::free(o.p);
  REQUIRE(mappings() <= before + 50);
}
