#include "hakmem/base/fatal.hpp"

#include <unistd.h>

#include <cstdlib>

#include "hakmem/base/platform.hpp"
#include "hakmem/base/text.hpp"

namespace hakmem {

HAK_COLD void fatal_pointer(const char* what, const void* p, std::size_t object_bytes) {
  Text line;
  line.add("hakmem: ").add(what).add(" ").add_pointer(p);
  if (object_bytes != 0) line.add(" (").add_number(object_bytes).add("-byte object)");
  line.add("\n").write_to(STDERR_FILENO);
  std::abort();
}

HAK_COLD void fatal(const char* what) {
  Text line;
  line.add("hakmem: ").add(what).add("\n").write_to(STDERR_FILENO);
  std::abort();
}

}  // namespace hakmem
