// A program that confines itself: from then on a system call that is not on its list ends it.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "support/opaque.hpp"
#include "support/pattern.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

constexpr std::size_t kMiB = 1u << 20;

// About what the sandbox of OpenSSH's server lets its child do, and mincore: calloc of 1 MiB and
// more asks what of dirty memory is there. Opening a file fails; what stands in no line ends the
// program.
constexpr long kAllowed[] = {
    SYS_read,         SYS_write,  SYS_close,      SYS_brk,           SYS_mmap,
    SYS_munmap,       SYS_mremap, SYS_mprotect,   SYS_madvise,       SYS_futex,
    SYS_getpid,       SYS_gettid, SYS_nanosleep,  SYS_clock_gettime, SYS_clock_nanosleep,
    SYS_rt_sigreturn, SYS_exit,   SYS_exit_group, SYS_getrandom,     SYS_sched_yield,
    SYS_mincore,      SYS_fstat,  SYS_lseek,      SYS_newfstatat,    SYS_rt_sigprocmask};

sock_filter jump_if(long call, std::uint8_t then, std::uint8_t otherwise) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), then, otherwise);
}

sock_filter answer(std::uint32_t with) { return BPF_STMT(BPF_RET | BPF_K, with); }

// False: the system has no such filters.
bool confine() {
  std::vector<sock_filter> filter{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const long call : kAllowed) {
    filter.push_back(jump_if(call, 0, 1));
    filter.push_back(answer(SECCOMP_RET_ALLOW));
  }
  filter.push_back(jump_if(SYS_openat, 0, 1));
  filter.push_back(answer(SECCOMP_RET_ERRNO | EACCES));
  filter.push_back(answer(SECCOMP_RET_KILL_PROCESS));
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

void many_objects() {
  std::vector<char*> objects(200000);
  for (std::size_t i = 0; i < objects.size(); ++i) {
    objects[i] = static_cast<char*>(std::malloc(1 + i % 900));
    pattern::fill(objects[i], 1 + i % 900, i);
  }
  for (std::size_t i = 0; i < objects.size(); ++i) {
    REQUIRE(pattern::holds(objects[i], 1 + i % 900, i));
    std::free(objects[i]);
  }
}

void a_growing_one() {
  char* p = nullptr;
  for (std::size_t size = kMiB / 4; size <= 128 * kMiB; size += size / 2) {
    p = static_cast<char*>(std::realloc(p, opaque(size)));
    REQUIRE(p != nullptr);
    std::memset(p, 1, size);
  }
  std::free(p);
}

void cleared_ones() {
  for (std::size_t size = kMiB / 4; size <= 32 * kMiB; size *= 2) {
    for (int i = 0; i < 4; ++i) {
      auto* p = static_cast<char*>(std::calloc(1, opaque(size)));
      REQUIRE(p != nullptr && p[0] == 0 && p[size / 2] == 0 && p[size - 1] == 0);
      std::memset(p, 1, i % 2 == 0 ? size : 1);
      std::free(p);
    }
  }
}

}  // namespace

SCENARIO(confines_itself) {
  if (!confine()) return;
  for (int round = 0; round < scenario::scaled(3); ++round) {
    many_objects();
    a_growing_one();
    cleared_ones();
    usleep(300000);  // what was freed becomes old enough to go back
    malloc_trim(0);
  }
}
