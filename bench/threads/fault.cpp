#include "fault.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace bench {

void fault(const char* what) {
  char line[200];
  std::snprintf(line, sizeof line, "%s: %s\n", program_invocation_short_name, what);
  const ssize_t written = write(STDERR_FILENO, line, std::strlen(line));
  _exit(written < 0 ? kFaultExitCode + 1 : kFaultExitCode);
}

}  // namespace bench
