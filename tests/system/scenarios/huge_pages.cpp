// Huge pages, as HAKMEM_HUGE_PAGES asks for them: what the system wrote down about the heap's
// memory and about the allocator's own books.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "support/opaque.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

constexpr std::size_t kHeap = std::size_t{64} << 20;

// What /proc/self/smaps says about the mapping that `p` lies in.
struct Mapping {
  std::string flags;
  std::size_t huge_kib = 0;

  bool has(std::string_view flag) const { return flags.find(flag) != std::string::npos; }
};

Mapping mapping_of(const void* p) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(p);
  std::ifstream smaps("/proc/self/smaps");
  Mapping mapping;
  bool here = false;
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      here = begin <= wanted && wanted < end;
    } else if (here && line.rfind("AnonHugePages:", 0) == 0) {
      mapping.huge_kib = std::strtoul(line.c_str() + sizeof "AnonHugePages:", nullptr, 10);
    } else if (here && line.rfind("VmFlags:", 0) == 0) {
      mapping.flags = line;
    }
  }
  REQUIRE(!mapping.flags.empty());
  return mapping;
}

}  // namespace

SCENARIO(huge_pages_are_as_asked) {
  const char* const variable = std::getenv("HAKMEM_HUGE_PAGES");
  const int asked = variable != nullptr ? std::atoi(variable) : 0;

  // A heap that grows by objects of slabs.
  constexpr std::size_t kSize = 1000;
  constexpr std::size_t kObjects = kHeap / kSize;
  static unsigned char* objects[kObjects];
  for (std::size_t i = 0; i < kObjects; ++i) {
    objects[i] = static_cast<unsigned char*>(opaque(std::malloc(kSize)));
    REQUIRE(objects[i] != nullptr);
    std::memset(objects[i], static_cast<int>(i % 251), kSize);
  }

  const bool known = access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) == 0;
  const Mapping heap = mapping_of(objects[0]);
  std::printf("%s, %zu KiB in huge pages\n", heap.flags.c_str(), heap.huge_kib);
  REQUIRE(heap.has(" nh") == (known && asked == 0));
  REQUIRE(heap.has(" hg") == (known && asked == 2));
  if (asked == 0) REQUIRE(heap.huge_kib == 0);

  for (std::size_t i = 0; i < kObjects; ++i) {
    for (std::size_t at = 0; at < kSize; ++at) REQUIRE(objects[i][at] == i % 251);
    std::free(objects[i]);
  }
}
