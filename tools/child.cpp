#include "child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <stdexcept>

namespace hakmem::tools {
namespace {

namespace fs = std::filesystem;

// A file without a name: unlike a pipe it never fills up.
int nameless_file() {
  std::string name = (fs::temp_directory_path() / "hakmem-XXXXXX").string();
  const int file = mkostemp(name.data(), O_CLOEXEC);
  if (file < 0) throw std::runtime_error(fmt::format("cannot make a file: {}", strerror(errno)));
  unlink(name.c_str());
  return file;
}

std::string contents(int file) {
  std::string text;
  std::array<char, 1 << 16> piece{};
  lseek(file, 0, SEEK_SET);
  for (ssize_t length = 0; (length = read(file, piece.data(), piece.size())) > 0;) {
    text.append(piece.data(), static_cast<std::size_t>(length));
  }
  close(file);
  return text;
}

[[noreturn]] void become(const std::vector<std::string>& words, const Changes& changes, int out,
                         int err) {
  for (const auto& [name, value] : changes) {
    if (value) {
      setenv(name.c_str(), value->c_str(), 1);
    } else {
      unsetenv(name.c_str());
    }
  }
  dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  _exit(errno == ENOENT ? 127 : 126);
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

}  // namespace

int Finished::code() const {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Finished run_child(const std::vector<std::string>& words, const Changes& changes, Output output) {
  int out = -1;
  int err = -1;
  if (output == Output::kept) {
    out = nameless_file();
    err = nameless_file();
  } else {
    out = err = open("/dev/null", O_WRONLY | O_CLOEXEC);
  }
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot start a process");
  if (child == 0) become(words, changes, out, err);
  Finished finished;
  rusage usage{};
  while (wait4(child, &finished.status, 0, &usage) < 0 && errno == EINTR) {
  }
  finished.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  finished.peak_kib = usage.ru_maxrss;
  if (output == Output::kept) {
    finished.out = contents(out);
    finished.err = contents(err);
  } else {
    close(out);
  }
  return finished;
}

bool has_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access(fmt::format("{}/{}", folder, name).c_str(), X_OK) == 0) return true;
  }
  return false;
}

Changes preloading(const std::string& library) {
  if (library.empty()) return {{"LD_PRELOAD", std::nullopt}};
  return {{"LD_PRELOAD", library}};
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "hakmem-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder: " + name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace hakmem::tools
