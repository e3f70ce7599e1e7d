// Prints the version of whatever malloc is preloaded, as the library itself tells it; an empty line
// where it tells none.
#include <dlfcn.h>
#include <gnu/libc-version.h>

#include <cstddef>
#include <cstdio>
#include <cstring>

namespace {

template <typename Function>
Function* find(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

bool comes_from_libc(void* function) {
  Dl_info info{};
  return dladdr(function, &info) != 0 && info.dli_fname != nullptr &&
         std::strstr(info.dli_fname, "/libc.so") != nullptr;
}

// Two digits a place, or one: 20401 and 100 (hakmem 0.1.0), but 209 for mimalloc 2.0.9.
void print_number(int version, int base) {
  std::printf("%d.%d.%d\n", version / base / base, version / base % base, version % base);
}

}  // namespace

int main() {
  if (auto* hakmem = find<int()>("hak_version")) {
    print_number(hakmem(), 100);
  } else if (auto* mimalloc = find<int()>("mi_version")) {
    const int version = mimalloc();
    print_number(version, version >= 10000 ? 100 : 10);
  } else if (auto* tcmalloc = find<const char*(int*, int*, const char**)>("tc_version")) {
    std::printf("%s\n", tcmalloc(nullptr, nullptr, nullptr));
  } else if (auto* jemalloc =
                 find<int(const char*, void*, std::size_t*, void*, std::size_t)>("mallctl")) {
    const char* version = "";
    std::size_t size = sizeof version;
    jemalloc("version", static_cast<void*>(&version), &size, nullptr, 0);
    std::printf("%.*s\n", static_cast<int>(std::strcspn(version, "-")), version);
  } else if (comes_from_libc(dlsym(RTLD_DEFAULT, "malloc"))) {
    std::printf("%s\n", gnu_get_libc_version());
  } else {
    std::printf("\n");
  }
}
