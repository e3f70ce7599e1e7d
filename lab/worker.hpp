// The controller's end of a process that runs a workload slice by slice.
//
// mixed_worker and threads_worker speak one protocol. In comes a word of 8 bytes, the length of the
// slice (operations of Mixed; nanoseconds of the threaded workloads), out goes a Turn. The first
// slice is the warm-up. At the end of its input the process prints a line of JSON.
#pragma once

#include <cstdint>
#include <string>

#include "lab/process.hpp"

namespace hakmem::lab {

// What the process measured of a slice.
struct Turn {
  std::uint64_t operations;
  std::uint64_t wall_nanoseconds;
  std::uint64_t cpu_nanoseconds;

  // Nanoseconds of an operation.
  [[nodiscard]] double wall() const { return per_operation(wall_nanoseconds); }
  [[nodiscard]] double cpu() const { return per_operation(cpu_nanoseconds); }

 private:
  [[nodiscard]] double per_operation(std::uint64_t nanoseconds) const {
    return static_cast<double>(nanoseconds) / static_cast<double>(operations == 0 ? 1 : operations);
  }
};

struct Report {
  std::string text;  // a JSON object; it has "peak_rss_kib"
  Usage usage;
};

// Its functions throw ProcessFailure.
class Worker {
 public:
  explicit Worker(const Launch& launch, double patience_seconds = 20);

  // The first turn also makes sure that the library is there: the loader only warns about one it
  // cannot load.
  Turn take_turn(std::uint64_t length);
  // Ends the process.
  Report finish();

 private:
  [[noreturn]] void fail();

  Process process_;
  std::string library_;
  double patience_seconds_;
  bool library_seen_ = false;
};

}  // namespace hakmem::lab
