#include "lab/witness.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "lab/companion.hpp"
#include "lab/process.hpp"

namespace hakmem::lab {
namespace {

constexpr double kPatienceForWitness = 3600;
constexpr std::uint64_t kShort = 500'000;
constexpr std::uint64_t kLong = 2'500'000;
constexpr double kPerTimedOperation = 1.1;  // a tenth of the operations run first, untimed

}  // namespace

bool can_count_instructions() {
  try {
    output_of({.command = {"valgrind", "--version"}});
    return true;
  } catch (const ProcessFailure&) {
    return false;
  }
}

double instructions_of(const Allocator& allocator, const std::vector<std::string>& command) {
  Launch launch;
  launch.command = {"valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"};
  launch.command.insert(launch.command.end(), command.begin(), command.end());
  launch.preload = allocator.library;
  launch.environment = allocator.environment;
  Process process(launch);
  process.close_input();
  static_cast<void>(process.read_all(kPatienceForWitness));
  const int status = process.wait().status;
  const std::string errors = process.errors();
  const std::string mark = "Collected : ";
  const std::size_t at = errors.find(mark);
  if (status != 0 || at == std::string::npos) {
    throw ProcessFailure(
        fmt::format("{} under callgrind {}", allocator.name, describe_status(status)));
  }
  return std::strtod(errors.c_str() + at + mark.size(), nullptr);
}

double instructions_of_mixed(const Allocator& allocator, const Workload& workload) {
  const auto of = [&](std::uint64_t operations) {
    return instructions_of(allocator,
                           {companion("bench_random_mixed_hakmem_minimal"), "--no-syscall-count",
                            std::to_string(operations), std::to_string(workload.working_set), "1",
                            std::to_string(workload.size_mask)});
  };
  return (of(kLong) - of(kShort)) / (static_cast<double>(kLong - kShort) * kPerTimedOperation);
}

}  // namespace hakmem::lab
