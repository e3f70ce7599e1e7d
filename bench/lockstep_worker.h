// The controller's end of a mixed_worker process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace bench {

struct Allocator {
  std::string name;
  std::string library;  // preloaded; empty for libc's own malloc
};

struct Workload {
  std::uint64_t working_set;
  std::uint64_t size_mask;
  std::uint64_t seed;
  std::uint64_t warm_up;  // operations before the first turn
  std::uint64_t lead_in;  // untimed operations at the start of each turn
  std::uint64_t slice;    // timed operations of a turn
};

// A process that runs a slice of the workload when told to. It inherits the caller's CPU. Every
// function throws std::runtime_error, which names the allocator, when the process has died.
class Worker {
 public:
  Worker(const std::string& program, const Allocator& allocator, const Workload& workload);
  ~Worker();
  Worker(Worker&& other) noexcept;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  Worker& operator=(Worker&&) = delete;

  // Also makes sure that the library is there: the loader only warns about one it cannot load.
  void wait_until_warm();
  // Runs one slice; the nanoseconds of CPU time that it took.
  std::uint64_t take_turn();
  // Ends the process and returns its peak RSS in KiB.
  std::uint64_t finish();

 private:
  std::uint64_t receive();

  Allocator allocator_;
  pid_t process_ = -1;
  int to_ = -1;
  int from_ = -1;
};

}  // namespace bench
