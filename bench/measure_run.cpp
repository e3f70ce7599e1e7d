// measure_run PRELOAD INPUT OUTPUT COMMAND...: runs a command (PRELOAD may be empty) with files as
// its input and output, and prints one line:
//   EXIT_CODE SIGNAL USER_MICROSECONDS SYSTEM_MICROSECONDS PEAK_RSS_KIB PAGE_FAULTS
//   WALL_MICROSECONDS
// The figures cover the command and the processes it waited for. This program exists to be small:
// the kernel counts the parent's memory at the moment of fork into a child's peak RSS. It is linked
// statically for the same reason.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

long long microseconds(const timeval& time) { return time.tv_sec * 1'000'000LL + time.tv_usec; }

long long wall_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000LL + now.tv_nsec / 1000;
}

void move_to(int fd, int place) {
  if (fd < 0 || dup2(fd, place) < 0) _exit(126);
  close(fd);
}

[[noreturn]] void become_command(char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  move_to(open(argv[2], O_RDONLY), STDIN_FILENO);
  move_to(open(argv[3], O_WRONLY | O_CREAT | O_TRUNC, 0666), STDOUT_FILENO);
  if (argv[1][0] != '\0') {
    setenv("LD_PRELOAD", argv[1], 1);
  } else {
    unsetenv("LD_PRELOAD");
  }
  execvp(argv[4], argv + 4);
  _exit(127);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fputs("usage: measure_run PRELOAD INPUT OUTPUT COMMAND...\n", stderr);
    return 2;
  }
  const long long start = wall_microseconds();
  const pid_t child = fork();
  if (child < 0) {
    std::perror("measure_run: fork");
    return 1;
  }
  if (child == 0) become_command(argv);
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) != child) return 1;
  const long long wall = wall_microseconds() - start;
  std::printf("%d %d %lld %lld %ld %ld %lld\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1,
              WIFSIGNALED(status) ? WTERMSIG(status) : 0, microseconds(usage.ru_utime),
              microseconds(usage.ru_stime), usage.ru_maxrss, usage.ru_minflt + usage.ru_majflt,
              wall);
  return 0;
}
