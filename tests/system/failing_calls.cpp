// Memory system calls fail in a window, from the n-th on and so many in a row, for every n until
// the window lies behind the workload. Linked with the archive, whose calls meet the definitions
// below.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <cstdarg>

#include "system/scenarios/survival.hpp"

namespace {

bool armed = false;
bool without_mremap = false;
long before_window = 0;  // calls that still succeed
long in_window = 0;      // calls that fail then

bool fails() {
  if (!armed) return false;
  if (before_window > 0) {
    --before_window;
    return false;
  }
  if (in_window == 0) return false;
  --in_window;
  errno = ENOMEM;
  return true;
}

constexpr int kReached = 10;  // exit codes of a child that did well
constexpr int kFelt = 11;
constexpr int kNotReached = 12;

[[noreturn]] void live_through(long first, long length) {
  before_window = first;
  in_window = length;
  armed = true;
  const int nulls = survival::use_everything();
  armed = false;
  survival::work_again(0);
  if (nulls > 0) std::_Exit(kFelt);
  std::_Exit(in_window < length ? kReached : kNotReached);
}

// The number of windows in which the workload met NULL. Each begins with the heap as it is now.
int sweep(long length) {
  int felt = 0;
  for (long first = 0;; ++first) {
    const pid_t child = fork();
    if (child == 0) live_through(first, length);
    int status = 0;
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == kNotReached) {
      std::printf("%ld in a row: %ld windows, NULL in %d\n", length, first, felt);
      std::fflush(stdout);
      return felt;
    }
    if (code != kReached && code != kFelt) {
      std::fprintf(stderr, "calls %ld..%ld: status %#x\n", first, first + length - 1, status);
      std::exit(1);
    }
    if (code == kFelt) ++felt;
  }
}

}  // namespace

// The library's view of the kernel.
extern "C" {

void* mmap(void* address, std::size_t bytes, int protection, int flags, int file,
           off_t at) noexcept {
  if (fails()) return MAP_FAILED;
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, bytes, protection, flags, file, at));
}

int mprotect(void* address, std::size_t bytes, int protection) noexcept {
  return fails() ? -1 : static_cast<int>(syscall(SYS_mprotect, address, bytes, protection));
}

int madvise(void* address, std::size_t bytes, int advice) noexcept {
  return fails() ? -1 : static_cast<int>(syscall(SYS_madvise, address, bytes, advice));
}

void* mremap(void* address, std::size_t old_bytes, std::size_t bytes, int flags, ...) noexcept {
  if (fails()) return MAP_FAILED;
  if (without_mremap) {
    errno = EINVAL;
    return MAP_FAILED;
  }
  va_list rest;
  va_start(rest, flags);
  void* const fixed = va_arg(rest, void*);
  va_end(rest);
  return reinterpret_cast<void*>(syscall(SYS_mremap, address, old_bytes, bytes, flags, fixed));
}
}

int main() {
  for (const bool warm : {false, true}) {
    if (warm) survival::use_everything();
    for (const long length : {1L, 5L, 40L, LONG_MAX}) {
      const int felt = sweep(length);
      // Where every call fails from the first on, a fresh heap cannot but say NULL.
      if (!warm && length == LONG_MAX) REQUIRE(felt > 3);
    }
  }
  // A kernel that knows no such call is nothing that a program would notice.
  without_mremap = true;
  REQUIRE(survival::use_everything() == 0);
  std::puts("ok");
  return 0;
}
