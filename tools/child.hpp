// Programs that a subcommand starts to learn something from them.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hakmem::tools {

// What is laid over the environment; no value removes the variable.
using Changes = std::map<std::string, std::optional<std::string>>;

struct Finished {
  int status = 0;  // as waitpid gives it
  std::string out;
  std::string err;
  double cpu_seconds = 0;
  long peak_kib = 0;

  // The exit code as a shell gives it: 128 + N for a death by signal N.
  [[nodiscard]] int code() const;
  [[nodiscard]] bool ok() const { return status == 0; }
};

enum class Output { kept, discarded };

// Runs a program found in PATH to its end. Throws std::runtime_error when it cannot be started.
Finished run_child(const std::vector<std::string>& words, const Changes& changes = {},
                   Output output = Output::kept);

// Whether PATH has such a program.
bool has_program(const std::string& name);

// LD_PRELOAD=library; none for an empty one, which stands for libc's own malloc.
Changes preloading(const std::string& library);

// A folder under the system's for temporary files, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] std::filesystem::path path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace hakmem::tools
