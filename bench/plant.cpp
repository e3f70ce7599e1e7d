#include "plant.h"

#include <cstdlib>

#include "process_status.h"

namespace bench {
namespace {

std::uint64_t ticks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return wall_nanoseconds();
#endif
}

double calibrate() {
  constexpr std::uint64_t kNanoseconds = 2'000'000;
  const std::uint64_t start = wall_nanoseconds();
  const std::uint64_t first = ticks();
  std::uint64_t now = start;
  while (now - start < kNanoseconds) now = wall_nanoseconds();
  return static_cast<double>(ticks() - first) / static_cast<double>(now - start);
}

}  // namespace

Plant::Plant() {
  const char* part = std::getenv("LAB_PLANT");
  if (part != nullptr) ticks_per_nanosecond_ = std::strtod(part, nullptr) * calibrate();
}

void Plant::spin_after(std::uint64_t nanoseconds) const {
  const auto length =
      static_cast<std::uint64_t>(ticks_per_nanosecond_ * static_cast<double>(nanoseconds));
  const std::uint64_t start = ticks();
  while (ticks() - start < length) {
  }
}

}  // namespace bench
