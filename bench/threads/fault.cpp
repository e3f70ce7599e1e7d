#include "fault.h"

#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace bench {

void fault(const char* what) {
  char line[200];
  std::snprintf(line, sizeof line, "threads_worker: %s\n", what);
  const ssize_t written = write(STDERR_FILENO, line, std::strlen(line));
  _exit(written < 0 ? kFaultExitCode + 1 : kFaultExitCode);
}

}  // namespace bench
