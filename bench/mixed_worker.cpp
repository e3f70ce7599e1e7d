// mixed_worker WORKING_SET SIZE_MASK SEED LEAD_IN: one side of a lockstep comparison, as
// lab/worker.hpp describes it. For each word of 8 bytes read from stdin it runs LEAD_IN operations
// of Mixed untimed (the others have used the caches since its last turn), then that many operations
// timed, and writes how many they were and the nanoseconds of wall and CPU time they took.
#include <unistd.h>

#include <cstdio>

#include "mixed.h"
#include "number_argument.h"
#include "plant.h"
#include "process_status.h"

namespace {

struct Turn {
  std::uint64_t operations;
  std::uint64_t wall_nanoseconds;
  std::uint64_t cpu_nanoseconds;
};

bool answer(const void* bytes, std::size_t size) {
  return write(STDOUT_FILENO, bytes, size) == static_cast<ssize_t>(size);
}

bool take_turn(bench::Mixed& mixed, const bench::Plant& plant, std::uint64_t lead_in,
               std::uint64_t operations) {
  if (!mixed.run(lead_in)) return false;
  const std::uint64_t wall = bench::wall_nanoseconds();
  const std::uint64_t cpu = bench::cpu_nanoseconds();
  if (!mixed.run(operations)) return false;
  plant.spin_after(bench::cpu_nanoseconds() - cpu);
  const Turn turn{operations, bench::wall_nanoseconds() - wall, bench::cpu_nanoseconds() - cpu};
  return answer(&turn, sizeof turn);
}

bool report() {
  char text[64];
  const int length = std::snprintf(text, sizeof text, "{\"peak_rss_kib\": %llu}\n",
                                   static_cast<unsigned long long>(bench::peak_rss_kib()));
  return answer(text, static_cast<std::size_t>(length));
}

}  // namespace

int main(int argc, char** argv) {
  enum { kWorkingSet, kSizeMask, kSeed, kLeadIn, kArguments };
  std::uint64_t values[kArguments];
  if (argc != kArguments + 1) return 2;
  for (int i = 0; i < kArguments; ++i) {
    const std::uint64_t low = i == kLeadIn ? 0 : 1;
    if (!bench::read_number(argv[i + 1], low, std::uint64_t{1} << 40, &values[i])) return 2;
  }
  bench::Mixed mixed(static_cast<std::uint32_t>(values[kWorkingSet]),
                     static_cast<std::uint32_t>(values[kSizeMask]),
                     static_cast<std::uint32_t>(values[kSeed]));
  if (!mixed.ready()) return 1;
  const bench::Plant plant;
  std::uint64_t operations = 0;
  while (read(STDIN_FILENO, &operations, sizeof operations) == sizeof operations)
    if (!take_turn(mixed, plant, values[kLeadIn], operations)) return 1;
  return report() ? 0 : 1;
}
