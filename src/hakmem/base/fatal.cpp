#include "hakmem/base/fatal.hpp"

#include <unistd.h>

#include <cstdlib>

#include "hakmem/base/platform.hpp"
#include "hakmem/base/text.hpp"

namespace hakmem {

constinit AbortHook* before_abort = nullptr;

namespace {

[[noreturn]] void write_and_abort(Text& line) {
  line.add("\n").write_to(STDERR_FILENO);
  if (before_abort != nullptr) before_abort();
  std::abort();
}

}  // namespace

HAK_COLD void fatal_pointer(const char* what, const void* p, std::size_t object_bytes) {
  Text line = Text().add("hakmem: ").add(what).add(" ").add_pointer(p);
  if (object_bytes != 0) line.add(" (").add_number(object_bytes).add("-byte object)");
  write_and_abort(line);
}

HAK_COLD void fatal(const char* what) { write_and_abort(Text().add("hakmem: ").add(what)); }

}  // namespace hakmem
