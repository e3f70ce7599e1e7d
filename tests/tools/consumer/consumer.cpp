// Uses the C and the C++ interface, and prints which file malloc and operator new come from.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <hakmem/hakmem.hpp>
#include <string>
#include <vector>

static const char* file_that_defines(const char* symbol) {
  Dl_info info{};
  if (dladdr(dlsym(RTLD_DEFAULT, symbol), &info) == 0) return "nothing";
  const char* slash = std::strrchr(info.dli_fname, '/');
  return slash == nullptr ? info.dli_fname : slash + 1;
}

int main() {
  if (hak_version() != HAKMEM_VERSION) return 1;
  std::vector<int, hakmem::allocator<int>> numbers(1000, 7);
  std::pmr::vector<int> others(1000, 7, hakmem::get_memory_resource());
  if (numbers.back() != others.back()) return 1;
  void* p = hak_malloc(100);
  p = hak_realloc(p, 100000);
  if (hak_usable_size(p) < 100000) return 1;
  hak_free(p);
  std::string* text = new std::string(1000, 'x');
  std::free(std::malloc(text->size()));
  delete text;
  std::printf("malloc from %s, new from %s\n", file_that_defines("malloc"),
              file_that_defines("_Znwm"));
}
