#include "lab/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace hakmem::lab {
namespace {

void make_pipe(std::array<int, 2>& ends) {
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
}

void pin(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(cpu), &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) _exit(126);
}

// Between fork and exec.
[[noreturn]] void become(const Launch& launch, char* const* arguments, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);  // it died before we asked to be told
  signal(SIGPIPE, SIG_DFL);
  // Where addresses are not randomised, each process has the same layout, and its luck.
  const int persona = personality(0xffffffff);
  if (persona != -1) personality(static_cast<unsigned long>(persona & ~ADDR_NO_RANDOMIZE));
  if (launch.cpu >= 0) pin(launch.cpu);
  unsetenv("LD_PRELOAD");
  if (!launch.preload.empty()) setenv("LD_PRELOAD", launch.preload.c_str(), 1);
  for (const auto& [name, value] : launch.environment) setenv(name.c_str(), value.c_str(), 1);
  execvp(arguments[0], arguments);
  _exit(127);
}

std::uint64_t microseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(time.tv_usec);
}

}  // namespace

Process::Process(const Launch& launch) {
  signal(SIGPIPE, SIG_IGN);  // a dead process is reported, not died of
  std::vector<char*> arguments;
  arguments.reserve(launch.command.size() + 1);
  for (const std::string& word : launch.command)
    arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::array<int, 2> input{};
  std::array<int, 2> output{};
  make_pipe(input);
  make_pipe(output);
  errors_ = memfd_create("errors", MFD_CLOEXEC);
  const pid_t self = getpid();
  process_ = fork();
  if (process_ < 0) throw std::runtime_error("cannot start a process");
  if (process_ == 0) {
    dup2(input[0], STDIN_FILENO);
    dup2(output[1], STDOUT_FILENO);
    dup2(errors_, STDERR_FILENO);
    become(launch, arguments.data(), self);
  }
  close(input[0]);
  close(output[1]);
  to_ = input[1];
  from_ = output[0];
}

Process::Process(Process&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      to_(std::exchange(other.to_, -1)),
      from_(std::exchange(other.from_, -1)),
      errors_(std::exchange(other.errors_, -1)) {}

Process::~Process() {
  for (const int fd : {to_, from_, errors_})
    if (fd >= 0) close(fd);
  if (process_ <= 0) return;
  kill();
  waitpid(process_, nullptr, 0);
}

void Process::kill() const {
  if (process_ > 0) ::kill(process_, SIGKILL);
}

bool Process::write(const void* bytes, std::size_t size) const {
  return ::write(to_, bytes, size) == static_cast<ssize_t>(size);
}

// Some bytes, at least one; 0 at the end.
std::size_t Process::receive(char* bytes, std::size_t size, double patience_seconds) const {
  pollfd waited{from_, POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&waited, 1, static_cast<int>(patience_seconds * 1000));
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) throw ProcessFailure("hung");
  return static_cast<std::size_t>(std::max<ssize_t>(0, ::read(from_, bytes, size)));
}

bool Process::read(void* bytes, std::size_t size, double patience_seconds) const {
  auto* at = static_cast<char*>(bytes);
  while (size > 0) {
    const std::size_t length = receive(at, size, patience_seconds);
    if (length == 0) return false;
    at += length;
    size -= length;
  }
  return true;
}

std::string Process::read_all(double patience_seconds) const {
  std::string text;
  std::array<char, 4096> part{};
  while (const std::size_t length = receive(part.data(), part.size(), patience_seconds))
    text.append(part.data(), length);
  return text;
}

void Process::close_input() {
  if (to_ >= 0) close(std::exchange(to_, -1));
}

Usage Process::wait() {
  Usage usage;
  rusage counted{};
  pid_t done = 0;
  do {
    done = wait4(process_, &usage.status, 0, &counted);
  } while (done < 0 && errno == EINTR);
  process_ = -1;
  usage.user_microseconds = microseconds(counted.ru_utime);
  usage.system_microseconds = microseconds(counted.ru_stime);
  usage.faults = static_cast<std::uint64_t>(counted.ru_minflt + counted.ru_majflt);
  usage.peak_rss_kib = static_cast<std::uint64_t>(counted.ru_maxrss);
  return usage;
}

std::string Process::errors() const {
  constexpr off_t kMost = 65536;
  const off_t end = lseek(errors_, 0, SEEK_END);
  std::string text(static_cast<std::size_t>(std::clamp<off_t>(end, 0, kMost)), '\0');
  const ssize_t length = pread(errors_, text.data(), text.size(), std::max<off_t>(0, end - kMost));
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, length)));
  return text;
}

std::string Process::complaint() const {
  std::string lines = errors();
  while (!lines.empty() && lines.back() == '\n') lines.pop_back();
  if (lines.empty()) return "(no message)";
  return lines.substr(lines.rfind('\n') + 1);
}

std::string describe_status(int status) {
  if (WIFSIGNALED(status)) return std::string("died of ") + strsignal(WTERMSIG(status));
  return "ended with code " + std::to_string(WEXITSTATUS(status));
}

std::string output_of(const Launch& launch, double patience_seconds) {
  Process process(launch);
  process.close_input();
  std::string text = process.read_all(patience_seconds);
  const Usage usage = process.wait();
  if (usage.status != 0) {
    throw ProcessFailure(launch.command.front() + " " + describe_status(usage.status) + ": " +
                         process.complaint());
  }
  return text;
}

std::vector<int> allowed_cpus() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  std::vector<int> cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &allowed)) cpus.push_back(static_cast<int>(cpu));
  return cpus;
}

}  // namespace hakmem::lab
