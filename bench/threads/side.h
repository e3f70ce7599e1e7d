// The controller's end of a threads_worker process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

struct Allocator {
  std::string name;
  std::string library;  // preloaded; empty for libc's own malloc
};

// The process crashed, hung, or found a fault in what its allocator gave it.
struct SideFailure : std::runtime_error {
  using runtime_error::runtime_error;
};

class Side {
 public:
  // What the process measured of a slice.
  struct Turn {
    std::uint64_t operations;
    std::uint64_t wall_nanoseconds;
    std::uint64_t cpu_nanoseconds;
  };

  // `command` is the program and its arguments.
  Side(const std::vector<std::string>& command, Allocator allocator, double patience_seconds);
  ~Side();
  Side(Side&& other) noexcept;
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;
  Side& operator=(Side&&) = delete;

  // The first turn also makes sure that the library is there: the loader only warns about one it
  // cannot load. These two throw SideFailure.
  Turn take_turn(double milliseconds);
  // Ends the process and returns what it printed.
  std::string finish();

 private:
  void start(const std::vector<std::string>& command);
  // False at the end of what the process writes.
  bool receive(void* bytes, std::size_t size);
  void wait_for_answer();
  [[noreturn]] void fail();
  [[nodiscard]] std::string complaint() const;

  Allocator allocator_;
  int patience_milliseconds_;
  bool library_seen_ = false;
  pid_t process_ = -1;
  int to_ = -1;
  int from_ = -1;
  int errors_ = -1;  // a file without a name that holds its standard error
};

}  // namespace bench
