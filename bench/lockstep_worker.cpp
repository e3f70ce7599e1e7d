#include "lockstep_worker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <stdexcept>
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
                                int output) {
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  if (library.empty()) {
    unsetenv("LD_PRELOAD");
  } else {
    setenv("LD_PRELOAD", library.c_str(), 1);
  }
  execv(arguments[0], arguments);
  _exit(127);
}

}  // namespace

Worker::Worker(const std::string& program, const Allocator& allocator, const Workload& workload)
    : allocator_(allocator) {
  std::array<std::string, 7> words = {program,
                                      std::to_string(workload.working_set),
                                      std::to_string(workload.size_mask),
                                      std::to_string(workload.seed),
                                      std::to_string(workload.warm_up),
                                      std::to_string(workload.lead_in),
                                      std::to_string(workload.slice)};
  std::array<char*, 8> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  std::array<int, 2> input{};
  std::array<int, 2> output{};
  make_pipe(input);
  make_pipe(output);
  process_ = fork();
  if (process_ < 0) throw std::runtime_error("cannot start a process");
  if (process_ == 0) become_worker(arguments.data(), allocator.library, input[0], output[1]);
  close(input[0]);
  close(output[1]);
  to_ = input[1];
  from_ = output[0];
}

Worker::Worker(Worker&& other) noexcept
    : allocator_(std::move(other.allocator_)),
      process_(std::exchange(other.process_, -1)),
      to_(std::exchange(other.to_, -1)),
      from_(std::exchange(other.from_, -1)) {}

Worker::~Worker() {
  if (to_ >= 0) close(to_);
  if (from_ >= 0) close(from_);
  if (process_ <= 0) return;
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
}

std::uint64_t Worker::receive() {
  std::uint64_t word = 0;
  if (read(from_, &word, sizeof word) != static_cast<ssize_t>(sizeof word))
    throw std::runtime_error(allocator_.name + ": the benchmark process died");
  return word;
}

void Worker::wait_until_warm() {
  receive();
  if (!allocator_.library.empty() && !has_mapped(process_, allocator_.library))
    throw std::runtime_error(allocator_.name + ": " + allocator_.library + " was not preloaded");
}

std::uint64_t Worker::take_turn() {
  const char turn = 1;
  if (write(to_, &turn, 1) != 1)
    throw std::runtime_error(allocator_.name + ": the benchmark process died");
  return receive();
}

std::uint64_t Worker::finish() {
  close(std::exchange(to_, -1));
  const std::uint64_t peak = receive();
  waitpid(std::exchange(process_, -1), nullptr, 0);
  return peak;
}

}  // namespace bench
