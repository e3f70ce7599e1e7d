#include "process.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <system_error>

namespace {

void check(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

std::string content_of(int file) {
  std::string text(static_cast<std::size_t>(lseek(file, 0, SEEK_END)), '\0');
  check(static_cast<int>(pread(file, text.data(), text.size(), 0)), "pread");
  close(file);
  return text;
}

}  // namespace

int Outcome::code() const { return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status); }

Outcome run_program(const std::vector<std::string>& words,
                    const std::map<std::string, std::string>& changes) {
  // Memory files, so that no program ever waits for a reader.
  const int out = memfd_create("out", MFD_CLOEXEC);
  const int err = memfd_create("err", MFD_CLOEXEC);
  check(out, "memfd_create");
  check(err, "memfd_create");
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);

  const pid_t child = fork();
  check(child, "fork");
  if (child == 0) {
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    for (const auto& [name, value] : changes) setenv(name.c_str(), value.c_str(), 1);
    execvp(arguments[0], arguments.data());
    _exit(98);
  }
  Outcome outcome{};
  check(waitpid(child, &outcome.status, 0), "waitpid");
  outcome.out = content_of(out);
  outcome.err = content_of(err);
  return outcome;
}
