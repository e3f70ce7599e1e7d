#include "child.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "hakmem/config/options.hpp"

namespace {

[[noreturn]] void live(Body body, const Environment& environment, int err) {
  dup2(err, STDERR_FILENO);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  for (const auto& [name, value] : environment) {
    value != nullptr ? setenv(name, value, 1) : unsetenv(name);
  }
  hakmem::config::load();
  body();
  std::fflush(stdout);
  _exit(testing::Test::HasFailure() ? 1 : 0);
}

std::string read_all(int fd) {
  std::string all;
  char buffer[4096];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n > 0) all.append(buffer, static_cast<std::size_t>(n));
    if (n == 0 || (n < 0 && errno != EINTR)) return all;
  }
}

}  // namespace

bool Outcome::exited_well() const { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

bool Outcome::aborted() const { return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT; }

std::vector<std::string> Outcome::messages() const {
  std::vector<std::string> lines;
  std::istringstream stream(err);
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("hakmem: ")) lines.push_back(line);
  }
  return lines;
}

Outcome run_in_child(Body body, const Environment& environment) {
  std::fflush(stdout);
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    close(ends[0]);
    live(body, environment, ends[1]);
  }
  close(ends[1]);
  Outcome outcome{};
  outcome.err = read_all(ends[0]);
  close(ends[0]);
  if (waitpid(child, &outcome.status, 0) != child) std::abort();
  return outcome;
}

void in_child(Body body, const Environment& environment) {
  const Outcome outcome = run_in_child(body, environment);
  EXPECT_TRUE(outcome.exited_well()) << "status " << outcome.status << "\n" << outcome.err;
}

void expect_fatal(const std::string& words, Body body, const Environment& environment) {
  const Outcome outcome = run_in_child(body, environment);
  EXPECT_TRUE(outcome.aborted()) << "status " << outcome.status << "\n" << outcome.err;
  const std::vector<std::string> lines = outcome.messages();
  ASSERT_EQ(lines.size(), 1u) << outcome.err;
  EXPECT_TRUE(lines[0].starts_with("hakmem: " + words)) << lines[0];
}
