#include "side.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

namespace bench {
namespace {

void make_pipe(std::array<int, 2>& ends) {
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
}

bool has_mapped(pid_t process, const std::string& library) {
  const std::string path = std::filesystem::canonical(library);
  std::ifstream maps("/proc/" + std::to_string(process) + "/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.ends_with(" " + path)) return true;
  return false;
}

[[noreturn]] void become_worker(char* const* arguments, const std::string& library, int input,
                                int output, int errors) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  if (library.empty()) {
    unsetenv("LD_PRELOAD");
  } else {
    setenv("LD_PRELOAD", library.c_str(), 1);
  }
  execv(arguments[0], arguments);
  _exit(127);
}

std::string describe(int status) {
  if (WIFSIGNALED(status)) return std::string("died of ") + strsignal(WTERMSIG(status));
  return "ended with code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Side::Side(const std::vector<std::string>& command, Allocator allocator, double patience_seconds)
    : allocator_(std::move(allocator)),
      patience_milliseconds_(static_cast<int>(patience_seconds * 1000)) {
  start(command);
}

void Side::start(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::array<int, 2> input{};
  std::array<int, 2> output{};
  make_pipe(input);
  make_pipe(output);
  errors_ = memfd_create("errors", MFD_CLOEXEC);
  process_ = fork();
  if (process_ < 0) throw std::runtime_error("cannot start a process");
  if (process_ == 0)
    become_worker(arguments.data(), allocator_.library, input[0], output[1], errors_);
  close(input[0]);
  close(output[1]);
  to_ = input[1];
  from_ = output[0];
}

Side::Side(Side&& other) noexcept
    : allocator_(std::move(other.allocator_)),
      patience_milliseconds_(other.patience_milliseconds_),
      library_seen_(other.library_seen_),
      process_(std::exchange(other.process_, -1)),
      to_(std::exchange(other.to_, -1)),
      from_(std::exchange(other.from_, -1)),
      errors_(std::exchange(other.errors_, -1)) {}

Side::~Side() {
  for (const int fd : {to_, from_, errors_})
    if (fd >= 0) close(fd);
  if (process_ <= 0) return;
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
}

Side::Turn Side::take_turn(double milliseconds) {
  const auto nanoseconds = static_cast<std::uint64_t>(milliseconds * 1e6);
  Turn turn{};
  if (write(to_, &nanoseconds, sizeof nanoseconds) != sizeof nanoseconds) fail();
  if (!receive(&turn, sizeof turn)) fail();
  if (!library_seen_ && !allocator_.library.empty() && !has_mapped(process_, allocator_.library))
    throw SideFailure("was not preloaded: " + complaint());
  library_seen_ = true;
  return turn;
}

std::string Side::finish() {
  close(std::exchange(to_, -1));
  std::string text;
  for (char c = 0; receive(&c, 1);) text += c;
  int status = 0;
  waitpid(process_, &status, 0);
  process_ = -1;
  if (status != 0) throw SideFailure(describe(status) + ": " + complaint());
  return text;
}

bool Side::receive(void* bytes, std::size_t size) {
  wait_for_answer();
  const ssize_t length = read(from_, bytes, size);
  return length > 0 && static_cast<std::size_t>(length) == size;
}

void Side::wait_for_answer() {
  pollfd waited{from_, POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&waited, 1, patience_milliseconds_);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) throw SideFailure("hung");
}

// The process has closed its end: it is dead, or about to be.
void Side::fail() {
  int status = 0;
  kill(process_, SIGKILL);
  waitpid(process_, &status, 0);
  process_ = -1;
  throw SideFailure(describe(status) + ": " + complaint());
}

// The last line it wrote on standard error.
std::string Side::complaint() const {
  std::array<char, 4096> text{};
  const off_t end = lseek(errors_, 0, SEEK_END);
  const off_t begin = std::max<off_t>(0, end - static_cast<off_t>(text.size()));
  const ssize_t length = pread(errors_, text.data(), text.size(), begin);
  std::string lines(text.data(), static_cast<std::size_t>(std::max<ssize_t>(0, length)));
  while (!lines.empty() && lines.back() == '\n') lines.pop_back();
  if (lines.empty()) return "(no message)";
  return lines.substr(lines.rfind('\n') + 1);
}

}  // namespace bench
