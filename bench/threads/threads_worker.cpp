// threads_worker: runs one threaded workload under whatever malloc it finds, and prints one line of
// JSON. It needs libc alone, and keeps its own books in memory from mmap.
//
// As one side of a comparison (DURATION is `turns`) it runs a slice each time it is told to on
// standard input, in words of 8 bytes: in comes the slice's length in nanoseconds, out go its
// operations, wall and CPU nanoseconds. The first slice is the warm-up. At the end of the input it
// prints its line.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../number_argument.h"
#include "../process_status.h"
#include "../syscall_trace.h"
#include "pages.h"
#include "report.h"

namespace {

using bench::Crew;
using bench::Slice;
using bench::Workload;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kForEver = 86'400 * kSecond;

struct Duration {
  std::uint64_t nanoseconds;
  std::uint64_t operations;  // 0: as long as it takes
  bool turns;
};

int usage(const char* complaint) {
  if (complaint != nullptr) std::fprintf(stderr, "threads_worker: %s\n", complaint);
  FILE* out = complaint != nullptr ? stderr : stdout;
  std::fputs(
      "usage: threads_worker WORKLOAD THREADS DURATION SEED [--latency | --count-syscalls]\n"
      "  DURATION   seconds (0.5s) or about so many operations (1000000)\n"
      "  --latency  time each call; throughput then says little\n"
      "  --count-syscalls  run under a tracer, and print how many memory system calls it made\n"
      "workloads:\n",
      out);
  for (const Workload* workload : bench::kWorkloads)
    std::fprintf(out, "  %-14s counts %s\n", workload->name, workload->operation);
  return complaint == nullptr ? 0 : 2;
}

const Workload* find_workload(const char* name) {
  for (const Workload* workload : bench::kWorkloads)
    if (std::strcmp(workload->name, name) == 0) return workload;
  return nullptr;
}

bool read_duration(const char* text, Duration* duration) {
  if (std::strcmp(text, "turns") == 0) {
    *duration = {0, 0, true};
    return true;
  }
  *duration = {kForEver, 0, false};
  if (bench::read_number(text, 1, std::uint64_t{1} << 40, &duration->operations)) return true;
  char* end = nullptr;
  const double seconds = *text < '0' || *text > '9' ? 0 : std::strtod(text, &end);
  if (!(seconds > 0 && seconds <= 86'400) || std::strcmp(end, "s") != 0) return false;
  *duration = {static_cast<std::uint64_t>(seconds * static_cast<double>(kSecond)), 0, false};
  return true;
}

void add(Slice& total, const Slice& slice) {
  total.operations += slice.operations;
  total.wall_nanoseconds += slice.wall_nanoseconds;
  total.cpu_nanoseconds += slice.cpu_nanoseconds;
}

Slice run_alone(Crew& crew, const Duration& duration) {
  const std::uint64_t warm_up = duration.operations != 0 ? kForEver : duration.nanoseconds / 10;
  crew.run(warm_up, (duration.operations + 9) / 10);  // 0 would have no end
  crew.forget();
  bench::mark_begin();
  const Slice slice = crew.run(duration.nanoseconds, duration.operations);
  bench::mark_end();
  return slice;
}

bool take_turns(Crew& crew, Slice& total) {
  bool warm = false;
  std::uint64_t nanoseconds = 0;
  while (read(STDIN_FILENO, &nanoseconds, sizeof nanoseconds) == sizeof nanoseconds) {
    const Slice slice = crew.run(nanoseconds, 0);
    if (warm) {
      add(total, slice);
    } else {
      crew.forget();
    }
    warm = true;
    if (write(STDOUT_FILENO, &slice, sizeof slice) != sizeof slice) return false;
  }
  return true;
}

// The same command without its last word, under a tracer.
int count_syscalls(char** argv) {
  argv[5] = nullptr;
  const long calls = bench::count_memory_syscalls(argv);
  if (calls < 0) {
    std::puts("memory syscalls: not counted (tracing is not allowed here)");
  } else {
    std::printf("memory syscalls: (%ld in the timed part)\n", calls);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) return usage(nullptr);
  if (argc < 5 || argc > 6) return usage("wrong number of arguments");
  const Workload* workload = find_workload(argv[1]);
  if (workload == nullptr) return usage("no such workload");
  std::uint64_t threads = 0;
  if (!bench::read_number(argv[2], workload->least_threads, 4096, &threads))
    return usage("THREADS is a number up to 4096, for some workloads at least 2");
  Duration duration{};
  if (!read_duration(argv[3], &duration)) return usage("DURATION is not one");
  std::uint64_t seed = 0;
  if (!bench::read_number(argv[4], 0, UINT32_MAX, &seed)) return usage("SEED is not a number");
  const bool timed = argc == 6 && std::strcmp(argv[5], "--latency") == 0;
  const bool counted = argc == 6 && std::strcmp(argv[5], "--count-syscalls") == 0;
  if (argc == 6 && !timed && !counted) return usage("no such option");
  if (counted && duration.turns) return usage("DURATION must have an end");
  if (counted) return count_syscalls(argv);

  Crew& crew = *bench::map_zeroed<Crew>(1);
  crew.set_up(*workload, static_cast<unsigned>(threads), static_cast<std::uint32_t>(seed), timed);
  Slice total{};
  if (!duration.turns) {
    total = run_alone(crew, duration);
  } else if (!take_turns(crew, total)) {
    return 1;
  }
  const std::uint64_t peak = bench::peak_rss_kib();
  crew.tear_down();
  return bench::print_report(*workload, crew, total, peak) ? 0 : 1;
}
