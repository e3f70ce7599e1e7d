// Runs a program as a child: with or without the library preloaded, with a time limit, its output
// and the way it ended kept.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace run {

inline const std::string kPrograms = HAKMEM_PROGRAMS_DIR;
inline constexpr rlim_t kMiB = 1u << 20;

struct Command {
  std::vector<std::string> arguments = {};                            // found through PATH
  std::vector<std::pair<std::string, std::string>> environment = {};  // beside a small fixed one
  std::string directory = {};                                         // "" is the present one
  std::function<void()> before_exec = {};                             // in the child; limits, say
  std::chrono::seconds patience{150};  // it ends a program that hangs; a machine may be slow
};

struct Outcome {
  int exit_code = -1;  // -1 when it was a signal
  int signal = 0;
  bool timed_out = false;
  std::string out;
  std::string err;

  bool succeeded() const { return exit_code == 0; }
  std::string describe() const;
};

// The library under test, as LD_PRELOAD takes it: HAKMEM_TEST_LIB, else the one that was built.
std::string library();

// The command, with the library preloaded.
Command preloaded(Command command);

Outcome run(const Command& command);

// A directory that is removed with everything in it, readable by everybody.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace run
