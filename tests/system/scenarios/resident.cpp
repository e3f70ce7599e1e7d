// How much memory this process holds.
#include <unistd.h>

#include "system/scenarios/scenario.hpp"

namespace scenario {

std::size_t resident_bytes() {
  std::size_t pages = 0;
  std::FILE* const f = std::fopen("/proc/self/statm", "r");
  REQUIRE(f != nullptr && std::fscanf(f, "%*u %zu", &pages) == 1);
  std::fclose(f);
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::size_t peak_resident_bytes() {
  std::FILE* const f = std::fopen("/proc/self/status", "r");
  REQUIRE(f != nullptr);
  char line[256];
  std::size_t kib = 0;
  while (kib == 0 && std::fgets(line, sizeof line, f) != nullptr) {
    std::sscanf(line, "VmHWM: %zu kB", &kib);
  }
  std::fclose(f);
  REQUIRE(kib != 0);
  return kib << 10;
}

}  // namespace scenario
