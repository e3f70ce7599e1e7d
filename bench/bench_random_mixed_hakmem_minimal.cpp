// bench_random_mixed_hakmem_minimal OPS WORKING_SET SEED: the Mixed workload under whatever malloc
// is preloaded. It links libc alone, so that nothing but the allocator is measured.
#include <cstdio>
#include <cstring>
#include <ctime>
#include <iterator>

#include "mixed.h"
#include "number_argument.h"
#include "process_status.h"
#include "syscall_trace.h"

namespace {

constexpr char kUsage[] =
    "usage: bench_random_mixed_hakmem_minimal [--no-syscall-count] [OPS [WORKING_SET [SEED "
    "[SIZE_MASK]]]]\n"
    "  OPS          timed operations, 1 to 10^12 (default 200000000); a tenth more runs first, "
    "untimed\n"
    "  WORKING_SET  slots, 1 to 2^31 (default 400)\n"
    "  SEED         of xorshift32, 1 to 4294967295 (default 1)\n"
    "  SIZE_MASK    2^n - 1, up to 2^20 - 1 (default 1023); sizes are 16 + (r & SIZE_MASK)\n"
    "  --no-syscall-count  leave out the second run, under a tracer, that counts system calls\n";

struct Options {
  std::uint64_t operations = 200'000'000;
  std::uint64_t working_set = 400;
  std::uint64_t seed = 1;
  std::uint64_t size_mask = 1023;
  bool count_syscalls = true;
};

const char* read_options(int argc, char** argv, Options* options) {
  struct Argument {
    std::uint64_t* value;
    std::uint64_t high;
    const char* complaint;
  };
  const Argument arguments[] = {
      {&options->operations, 1'000'000'000'000, "OPS must be a number from 1 to 10^12"},
      {&options->working_set, std::uint64_t{1} << 31, "WORKING_SET must be a number, 1 to 2^31"},
      {&options->seed, 0xffffffff, "SEED must be a number from 1 to 4294967295"},
      {&options->size_mask, (1 << 20) - 1, "SIZE_MASK must be 2^n - 1, at most 2^20 - 1"},
  };
  std::size_t given = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--no-syscall-count") == 0) {
      options->count_syscalls = false;
      continue;
    }
    if (given == std::size(arguments)) return "too many arguments";
    const Argument& argument = arguments[given++];
    if (!bench::read_number(argv[i], 1, argument.high, argument.value)) return argument.complaint;
  }
  if ((options->size_mask & (options->size_mask + 1)) != 0) return arguments[3].complaint;
  return nullptr;
}

double seconds_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The same command, told not to trace itself once more.
long count_syscalls(int argc, char** argv) {
  constexpr int kMostArguments = 8;
  char flag[] = "--no-syscall-count";
  char* arguments[kMostArguments] = {};
  if (argc + 2 > kMostArguments) return -1;
  std::memcpy(arguments, argv, static_cast<std::size_t>(argc) * sizeof *argv);
  arguments[argc] = flag;
  return bench::count_memory_syscalls(arguments);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  Options options;
  if (const char* complaint = read_options(argc, argv, &options)) {
    std::fprintf(stderr, "bench_random_mixed_hakmem_minimal: %s\n%s", complaint, kUsage);
    return 2;
  }

  bench::Mixed mixed(static_cast<std::uint32_t>(options.working_set),
                     static_cast<std::uint32_t>(options.size_mask),
                     static_cast<std::uint32_t>(options.seed));
  bool ok = mixed.ready() && mixed.run(options.operations / 10);
  bench::mark_begin();
  const double start = seconds_now();
  ok = ok && mixed.run(options.operations);
  const double seconds = seconds_now() - start;
  bench::mark_end();
  if (!ok) {
    std::fputs("bench_random_mixed_hakmem_minimal: out of memory\n", stderr);
    return 1;
  }

  const auto operations = static_cast<double>(options.operations);
  const std::uint64_t rss = bench::peak_rss_kib();
  std::printf("Mixed: %llu operations, working set %llu, sizes 16..%llu B, seed %llu\n",
              static_cast<unsigned long long>(options.operations),
              static_cast<unsigned long long>(options.working_set), 16ULL + options.size_mask,
              static_cast<unsigned long long>(options.seed));
  std::printf("throughput: %.0f ops/s (%.3f s)\n", operations / seconds, seconds);
  std::printf("peak RSS: %.2f MB (%llu KiB)\n", static_cast<double>(rss) * 1024 / 1e6,
              static_cast<unsigned long long>(rss));
  std::fflush(stdout);

  const long calls = options.count_syscalls ? count_syscalls(argc, argv) : -1;
  if (calls >= 0) {
    std::printf("memory syscalls: %.2e per operation (%ld in the timed part)\n",
                static_cast<double>(calls) / operations, calls);
  } else {
    std::printf("memory syscalls: not counted (%s)\n",
                options.count_syscalls ? "tracing is not allowed here" : "switched off");
  }
  return 0;
}
