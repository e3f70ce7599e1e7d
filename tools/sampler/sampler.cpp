// A preloaded timer that notes where a program is: what `hakmem profile` uses where perf cannot be.
//
// SIGPROF comes as the process uses CPU time. Its handler stores the interrupted address and the
// return addresses along the frame pointers, in a file mapped from the start (SAMPLER_OUTPUT and the
// process id), then the program's map of libraries when it ends. It never allocates, and reads the
// stack through the kernel, so that a register that is no frame pointer does no harm.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
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

void read_registers(void* context, std::uintptr_t* pc, std::uintptr_t* frame) {
  const mcontext_t& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  *pc = static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
  *frame = static_cast<std::uintptr_t>(machine.gregs[REG_RBP]);
#else
  *pc = machine.pc;
  *frame = machine.regs[29];
#endif
}

void note(int, siginfo_t*, void* context) {
  const std::size_t place = used.fetch_add(1, std::memory_order_relaxed);
  if (place >= kSamples) return;
  Sample& sample = samples[place];
  std::uintptr_t frame = 0;
  read_registers(context, &sample.addresses[0], &frame);
  for (std::size_t depth = 1; depth < kDepth && frame % sizeof frame == 0 && frame != 0; ++depth) {
    std::uintptr_t words[2];  // the caller's frame, the return address
    iovec here{words, sizeof words};
    iovec there{reinterpret_cast<void*>(frame), sizeof words};
    if (process_vm_readv(owner, &here, 1, &there, 1, 0) != sizeof words) break;
    if (words[1] == 0) break;
    sample.addresses[depth] = words[1];
    if (words[0] <= frame) break;
    frame = words[0];
  }
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

  struct sigaction action{};
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
