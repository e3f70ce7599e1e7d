// memory_worker: runs one workload under whatever malloc it finds, and prints one line of JSON.
//
// A timed workload can be one side of a comparison (DURATION is `turns`), as threads_worker is: in
// comes a slice's length in nanoseconds, out go its operations, wall and CPU nanoseconds, in words
// of 8 bytes. Before each slice it runs as long untimed. The first slice is the warm-up. At the end
// of the input it prints its line.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../number_argument.h"
#include "../process_status.h"
#include "simmer.h"
#include "workload.h"

namespace {

using bench::Argument;
using bench::Footprint;
using bench::Timed;

struct Slice {
  std::uint64_t operations;
  std::uint64_t wall_nanoseconds;
  std::uint64_t cpu_nanoseconds;
};

int usage(const char* complaint) {
  if (complaint != nullptr) std::fprintf(stderr, "memory_worker: %s\n", complaint);
  FILE* out = complaint != nullptr ? stderr : stdout;
  std::fputs("usage: memory_worker WORKLOAD ARGUMENT...\n", out);
  for (const Footprint* workload : bench::kFootprints) {
    std::fprintf(out, "  %s", workload->name);
    for (const Argument& argument : workload->arguments)
      if (argument.name != nullptr) std::fprintf(out, " %s", argument.name);
    std::fprintf(out, "\n      %s\n", workload->what);
  }
  for (const Timed* workload : bench::kTimed) {
    std::fprintf(out, "  %s 1 OPERATIONS|turns SEED\n      counts %s\n", workload->name,
                 workload->operation);
  }
  return complaint == nullptr ? 0 : 2;
}

template <class Table>
auto find(const Table& table, const char* name) {
  for (const auto* workload : table)
    if (std::strcmp(workload->name, name) == 0) return workload;
  return decltype(+table[0]){nullptr};
}

int run_footprint(const Footprint& workload, int argc, char** argv) {
  std::uint64_t values[bench::kMostArguments]{};
  int count = 0;
  for (const Argument& argument : workload.arguments) {
    if (argument.name == nullptr) break;
    if (count == argc ||
        !bench::read_number(argv[count], argument.low, argument.high, &values[count]))
      return usage("an argument is missing, or out of its range");
    ++count;
  }
  if (count != argc) return usage("too many arguments");
  workload.run(values);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

// Until the time is over or the operations are done, whichever comes first.
Slice run_slice(const Timed& workload, std::uint64_t nanoseconds, std::uint64_t operations) {
  Slice slice{0, 0, 0};
  const std::uint64_t cpu = bench::cpu_nanoseconds();
  const std::uint64_t start = bench::monotonic_nanoseconds();
  while (slice.wall_nanoseconds < nanoseconds && slice.operations < operations) {
    workload.operate();
    ++slice.operations;
    slice.wall_nanoseconds = bench::monotonic_nanoseconds() - start;
  }
  slice.cpu_nanoseconds = bench::cpu_nanoseconds() - cpu;
  return slice;
}

void add(Slice& total, const Slice& slice) {
  total.operations += slice.operations;
  total.wall_nanoseconds += slice.wall_nanoseconds;
  total.cpu_nanoseconds += slice.cpu_nanoseconds;
}

bool take_turns(const Timed& workload, Slice& total) {
  bool warm = false;
  std::uint64_t nanoseconds = 0;
  while (read(STDIN_FILENO, &nanoseconds, sizeof nanoseconds) == sizeof nanoseconds) {
    // While the others had their turns this process's memory grew old: what allocators give back
    // after some time is gone, and the caches are cold. That is not what is measured.
    run_slice(workload, nanoseconds, UINT64_MAX);
    const Slice slice = run_slice(workload, nanoseconds, UINT64_MAX);
    if (warm) add(total, slice);
    warm = true;
    if (write(STDOUT_FILENO, &slice, sizeof slice) != sizeof slice) return false;
  }
  return true;
}

int run_timed(const Timed& workload, int argc, char** argv) {
  std::uint64_t operations = 0;
  std::uint64_t seed = 0;
  if (argc != 3 || std::strcmp(argv[0], "1") != 0) return usage("one thread, DURATION, SEED");
  const bool turns = std::strcmp(argv[1], "turns") == 0;
  if (!turns && !bench::read_number(argv[1], 1, std::uint64_t{1} << 40, &operations))
    return usage("a number of operations, or the word turns");
  if (!bench::read_number(argv[2], 0, UINT32_MAX, &seed)) return usage("SEED is not a number");
  workload.set_up(static_cast<std::uint32_t>(seed));
  Slice total{0, 0, 0};
  if (!turns) {
    total = run_slice(workload, UINT64_MAX, operations);
  } else if (!take_turns(workload, total)) {
    return 1;
  }
  const std::uint64_t peak = bench::peak_rss_kib();
  workload.tear_down();
  std::printf(
      "{\"workload\": \"%s\", \"operations\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.6f, "
      "\"peak_rss_kib\": %llu, \"fairness\": 1}\n",
      workload.name, static_cast<unsigned long long>(total.operations),
      static_cast<double>(total.wall_nanoseconds) / 1e9,
      static_cast<double>(total.cpu_nanoseconds) / 1e9, static_cast<unsigned long long>(peak));
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) return usage(nullptr);
  if (argc < 2) return usage("no workload");
  if (const Footprint* workload = find(bench::kFootprints, argv[1]))
    return run_footprint(*workload, argc - 2, argv + 2);
  if (const Timed* workload = find(bench::kTimed, argv[1]))
    return run_timed(*workload, argc - 2, argv + 2);
  return usage("no such workload");
}
