// A preloaded timer that notes where a program is: what `hakmem profile` uses where perf cannot be.
//
// SIGPROF comes as the process uses CPU time. Its handler stores the interrupted address and those
// of the callers, as unwind tables tell them, in a file mapped from the start (SAMPLER_OUTPUT and
// the process id). When the program ends, its map of libraries is written beside it.
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "format.hpp"

namespace {

using sampler::kDepth;
using sampler::kSamples;
using sampler::Sample;

Sample* samples;
std::atomic<std::size_t> used;
char maps_name[512];
pid_t owner;

std::uintptr_t interrupted_at(void* context) {
  const mcontext_t& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
#else
  return machine.pc;
#endif
}

void note(int, siginfo_t*, void* context) {
  const int error = errno;
  const std::size_t place = used.fetch_add(1, std::memory_order_relaxed);
  if (place < kSamples) {
    Sample& sample = samples[place];
    sample.addresses[0] = interrupted_at(context);
    // Our own frames and the kernel's come first, then the interrupted one.
    void* frames[kDepth + 4];
    const int count = backtrace(frames, kDepth + 4);
    std::size_t depth = 0;
    for (int i = 0; i < count && depth < kDepth; ++i) {
      const auto address = reinterpret_cast<std::uintptr_t>(frames[i]);
      if (depth > 0 || address == sample.addresses[0]) sample.addresses[depth++] = address;
    }
  }
  errno = error;
}

void copy_maps() {
  const int from = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  const int to = open(maps_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  char text[4096];
  for (ssize_t length = 0; (length = read(from, text, sizeof text)) > 0;) {
    if (write(to, text, static_cast<std::size_t>(length)) != length) break;
  }
  close(from);
  close(to);
}

__attribute__((constructor)) void begin() {
  const char* output = std::getenv("SAMPLER_OUTPUT");
  const char* rate = std::getenv("SAMPLER_RATE");
  if (output == nullptr || rate == nullptr) return;
  const long hertz = std::strtol(rate, nullptr, 10);
  if (hertz < 1 || hertz > 10'000) return;
  owner = getpid();
  char name[512];
  std::snprintf(name, sizeof name, "%s/%d.samples", output, static_cast<int>(owner));
  std::snprintf(maps_name, sizeof maps_name, "%s/%d.maps", output, static_cast<int>(owner));
  const int file = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::size_t size = kSamples * sizeof(Sample);
  if (file < 0 || ftruncate(file, static_cast<off_t>(size)) != 0) return;
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) return;
  samples = static_cast<Sample*>(memory);
  copy_maps();
  // The first call loads the unwinder, and allocates: not in a signal handler.
  void* frame = nullptr;
  backtrace(&frame, 1);

  struct sigaction action {};
  action.sa_sigaction = note;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigaction(SIGPROF, &action, nullptr);
  // Not setitimer: that one would go on through exec, to a program that may not expect it.
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGPROF;
  timer_t timer{};
  if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) != 0) return;
  itimerspec interval{};
  interval.it_interval.tv_nsec = interval.it_value.tv_nsec = 1'000'000'000 / hertz;
  if (hertz == 1) interval = {{1, 0}, {1, 0}};
  timer_settime(timer, 0, &interval, nullptr);
}

// Libraries that were opened since the start are in it, too.
__attribute__((destructor)) void end() {
  if (samples != nullptr && getpid() == owner) copy_maps();
}

}  // namespace
