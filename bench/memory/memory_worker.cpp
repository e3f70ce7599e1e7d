// memory_worker: runs one workload under whatever malloc it finds, and prints one line of JSON.
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

int usage(const char* complaint) {
  if (complaint != nullptr) std::fprintf(stderr, "memory_worker: %s\n", complaint);
  FILE* out = complaint != nullptr ? stderr : stdout;
  std::fputs("usage: memory_worker WORKLOAD ARGUMENT...\n", out);
  for (const Footprint* workload : bench::kFootprints) {
    std::fprintf(out, "  %s", workload->name);
    for (const Argument& argument : workload->arguments) {
      if (argument.name != nullptr)
        std::fprintf(out, argument.optional ? " [%s]" : " %s", argument.name);
    }
    std::fprintf(out, "\n      %s\n", workload->what);
  }
  return complaint == nullptr ? 0 : 2;
}

const Footprint* find(const char* name) {
  for (const Footprint* workload : bench::kFootprints)
    if (std::strcmp(workload->name, name) == 0) return workload;
  return nullptr;
}

int run_footprint(const Footprint& workload, int argc, char** argv) {
  std::uint64_t values[bench::kMostArguments]{};
  int count = 0;
  for (const Argument& argument : workload.arguments) {
    if (argument.name == nullptr || (argument.optional && count == argc)) break;
    if (count == argc ||
        !bench::read_number(argv[count], argument.low, argument.high, &values[count]))
      return usage("an argument is missing, or out of its range");
    ++count;
  }
  if (count != argc) return usage("too many arguments");
  workload.run(values);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) return usage(nullptr);
  if (argc < 2) return usage("no workload");
  if (const Footprint* workload = find(argv[1]))
    return run_footprint(*workload, argc - 2, argv + 2);
  return usage("no such workload");
}
