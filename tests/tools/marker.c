/* A library that can be preloaded and be seen to have been. */
#include <unistd.h>

__attribute__((constructor)) static void tell(void) {
  static const char kMessage[] = "marker loaded\n";
  if (write(STDERR_FILENO, kMessage, sizeof kMessage - 1) < 0) _exit(99);
}
