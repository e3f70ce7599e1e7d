// A process that the lab starts and talks to through pipes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "lab/allocator.hpp"
#include "lab/error.hpp"

namespace hakmem::lab {

struct Launch {
  std::vector<std::string> command = {};  // the program's path, and its arguments
  std::string preload = {};    // a library; empty: nothing, whatever our own environment says
  Variables environment = {};  // set over our own environment
  int cpu = -1;                // where it is pinned; -1: wherever we may run
};

// What the kernel counted of a process and those it waited for.
struct Usage {
  int status = 0;  // as waitpid gives it
  std::uint64_t user_microseconds = 0;
  std::uint64_t system_microseconds = 0;
  std::uint64_t faults = 0;  // page faults, minor and major
  // Never less than our own memory at the moment of the start, which the kernel counts: for large
  // processes only, or through measure_run.
  std::uint64_t peak_rss_kib = 0;
};

// It dies with us, and with this object. Its standard error is kept in memory.
class Process {
 public:
  explicit Process(const Launch& launch);
  ~Process();
  Process(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  Process& operator=(Process&&) = delete;

  [[nodiscard]] pid_t id() const { return process_; }

  // False when the process has closed its end: it is dead, or about to be.
  [[nodiscard]] bool write(const void* bytes, std::size_t size) const;
  // The whole of `size` bytes; false when there are not so many. Throws ProcessFailure("hung") when
  // nothing comes for so long.
  [[nodiscard]] bool read(void* bytes, std::size_t size, double patience_seconds) const;
  // What it still writes, to the end.
  [[nodiscard]] std::string read_all(double patience_seconds) const;
  void close_input();
  // Waits for its end.
  Usage wait();
  void kill() const;

  // What it wrote on standard error, the last 64 KiB; and the last line of that.
  [[nodiscard]] std::string errors() const;
  [[nodiscard]] std::string complaint() const;

 private:
  std::size_t receive(char* bytes, std::size_t size, double patience_seconds) const;

  pid_t process_ = -1;
  int to_ = -1;
  int from_ = -1;
  int errors_ = -1;  // a file without a name
};

// "died of Aborted", "ended with code 2"
std::string describe_status(int status);

// Runs a program to its end and returns what it printed; throws ProcessFailure when it failed.
std::string output_of(const Launch& launch, double patience_seconds = 60);

// The CPUs we may run on, in ascending order.
std::vector<int> allowed_cpus();

}  // namespace hakmem::lab
