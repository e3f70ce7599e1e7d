// scenarios NAME runs one of them; scenarios alone lists them. A second argument, any-malloc, lets
// it run on another malloc: valgrind replaces it.
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>

#include "support/share.hpp"
#include "system/scenarios/scenario.hpp"

namespace scenario {
namespace {

// A list without allocation: registration runs before main, where malloc is itself under test.
struct Entry {
  const char* name;
  void (*function)();
};
Entry entries[200];
std::size_t count = 0;

bool library_in_use() {
  void* p = std::malloc(100);
  if (p == nullptr) p = std::malloc(100);  // one failure may have been asked for
  const bool ours = malloc_usable_size(p) == hak_good_size(100);
  std::free(p);
  return ours;
}

}  // namespace

Registration::Registration(const char* name, void (*function)()) {
  entries[count++] = {name, function};
}

int scaled(int ordinary) {
  const char* const scale = std::getenv("HAKMEM_TEST_SCALE");
  return scale != nullptr ? std::atoi(scale) : share_of(ordinary);
}

void limit(int resource, std::size_t bytes) {
  const rlimit value{bytes, bytes};
  REQUIRE(setrlimit(static_cast<__rlimit_resource>(resource), &value) == 0);
}

}  // namespace scenario

int main(int argc, char** argv) {
  using scenario::entries;
  if (argc == 1) {
    for (std::size_t i = 0; i < scenario::count; ++i) std::puts(entries[i].name);
    return 0;
  }
  REQUIRE((argc > 2 && std::strcmp(argv[2], "any-malloc") == 0) || scenario::library_in_use());
  for (std::size_t i = 0; i < scenario::count; ++i) {
    if (std::strcmp(entries[i].name, argv[1]) != 0) continue;
    entries[i].function();
    std::puts("ok");
    return 0;
  }
  std::fprintf(stderr, "no scenario %s\n", argv[1]);
  return 4;
}
