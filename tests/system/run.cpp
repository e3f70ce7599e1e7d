#include "system/run.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace run {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  int read_end = -1;
  int write_end = -1;

  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    read_end = ends[0];
    write_end = ends[1];
  }
};

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& s : strings) result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

// The same surroundings on every machine, so that outputs can be compared.
std::vector<std::string> full_environment(const Command& command) {
  std::vector<std::string> result{"PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
                                  "LC_ALL=C.UTF-8", "TZ=UTC", "TERM=dumb"};
  for (const auto& [name, value] : command.environment) result.push_back(name + "=" + value);
  return result;
}

[[noreturn]] void become(const Command& command, int out, int err, char* const* argv,
                         char* const* envp) {
  setpgid(0, 0);
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  if (!command.directory.empty() && chdir(command.directory.c_str()) != 0) _exit(126);
  if (command.before_exec) command.before_exec();
  execvpe(argv[0], argv, envp);
  _exit(127);
}

// Reads both pipes until both are closed or time is up; false when it was.
bool collect(const Pipe& out, const Pipe& err, Clock::time_point deadline, Outcome& outcome) {
  std::array<pollfd, 2> open_ends{{{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}}};
  std::array<std::string*, 2> texts{&outcome.out, &outcome.err};
  for (int left = 2; left > 0;) {
    const auto patience =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (patience <= 0) return false;
    if (poll(open_ends.data(), open_ends.size(), static_cast<int>(patience)) < 0) continue;
    for (std::size_t i = 0; i < open_ends.size(); ++i) {
      if (open_ends[i].revents == 0) continue;
      char buffer[65536];
      const ssize_t n = read(open_ends[i].fd, buffer, sizeof buffer);
      if (n > 0) {
        texts[i]->append(buffer, static_cast<std::size_t>(n));
      } else if (n == 0) {
        open_ends[i].fd = -1;
        --left;
      }
    }
  }
  return true;
}

}  // namespace

std::string Outcome::describe() const {
  std::string how = timed_out     ? "ran out of time"
                    : signal != 0 ? "ended by signal " + std::to_string(signal)
                                  : "exit code " + std::to_string(exit_code);
  return how + "\n--- stdout\n" + out.substr(0, 4000) + "\n--- stderr\n" + err.substr(0, 4000);
}

std::string library() {
  const char* const chosen = std::getenv("HAKMEM_TEST_LIB");
  return chosen != nullptr ? chosen : HAKMEM_TEST_LIB;
}

Command preloaded(Command command) {
  command.environment.emplace_back("LD_PRELOAD", library());
  return command;
}

Outcome run(const Command& command) {
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = full_environment(command);
  const std::vector<char*> argv = pointers_to(arguments);
  const std::vector<char*> envp = pointers_to(environment);
  const Pipe out;
  const Pipe err;
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork");
  if (child == 0) become(command, out.write_end, err.write_end, argv.data(), envp.data());
  setpgid(child, child);
  close(out.write_end);
  close(err.write_end);
  Outcome outcome;
  outcome.timed_out = !collect(out, err, Clock::now() + command.patience, outcome);
  if (outcome.timed_out) kill(-child, SIGKILL);
  close(out.read_end);
  close(err.read_end);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && !outcome.timed_out) outcome.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  return outcome;
}

TemporaryDirectory::TemporaryDirectory() : path_("/var/tmp/hakmem-test-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp");
  chmod(path_.c_str(), 0755);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace run
