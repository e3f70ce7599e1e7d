// mixed_worker WORKING_SET SIZE_MASK SEED WARM_UP LEAD_IN SLICE: one side of a lockstep comparison.
// It warms up, writes one 8-byte word, and then for each byte read from stdin runs LEAD_IN
// operations of Mixed untimed (the others have used the caches since its last turn), SLICE
// operations timed, and writes the nanoseconds of CPU time they took. At the end of its input it
// writes its peak RSS in KiB.
#include <unistd.h>

#include <iterator>

#include "mixed.h"
#include "number_argument.h"
#include "process_status.h"

namespace {

bool answer(std::uint64_t word) {
  return write(STDOUT_FILENO, &word, sizeof word) == static_cast<ssize_t>(sizeof word);
}

}  // namespace

int main(int argc, char** argv) {
  enum { kWorkingSet, kSizeMask, kSeed, kWarmUp, kLeadIn, kSlice, kArguments };
  std::uint64_t values[kArguments];
  if (argc != kArguments + 1) return 2;
  for (int i = 0; i < kArguments; ++i) {
    const std::uint64_t low = i == kWarmUp || i == kLeadIn ? 0 : 1;
    if (!bench::read_number(argv[i + 1], low, std::uint64_t{1} << 40, &values[i])) return 2;
  }
  bench::Mixed mixed(static_cast<std::uint32_t>(values[kWorkingSet]),
                     static_cast<std::uint32_t>(values[kSizeMask]),
                     static_cast<std::uint32_t>(values[kSeed]));
  if (!mixed.ready() || !mixed.run(values[kWarmUp]) || !answer(0)) return 1;
  char turn = 0;
  while (read(STDIN_FILENO, &turn, 1) == 1) {
    if (!mixed.run(values[kLeadIn])) return 1;
    const std::uint64_t start = bench::cpu_nanoseconds();
    if (!mixed.run(values[kSlice])) return 1;
    if (!answer(bench::cpu_nanoseconds() - start)) return 1;
  }
  return answer(bench::peak_rss_kib()) ? 0 : 1;
}
