// Prints the version of the allocator that it runs under, where that tells one.
#include <dlfcn.h>
#include <gnu/libc-version.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

template <class Function>
Function* find(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

void print_number(int version, int base) {
  std::printf("%d.%d.%d\n", version / base / base, version / base % base, version % base);
}

bool print_jemalloc() {
  auto* mallctl = find<int(const char*, void*, std::size_t*, void*, std::size_t)>("mallctl");
  const char* version = nullptr;
  std::size_t size = sizeof version;
  if (mallctl == nullptr || mallctl("version", &version, &size, nullptr, 0) != 0) return false;
  std::printf("%.*s\n", static_cast<int>(std::strcspn(version, "-")), version);
  return true;
}

bool print_tcmalloc() {
  auto* tc_version = find<const char*(int*, int*, const char**)>("tc_version");
  if (tc_version == nullptr) return false;
  int major = 0;
  int minor = 0;
  const char* patch = "";
  tc_version(&major, &minor, &patch);
  std::printf("%d.%d%s\n", major, minor, patch);
  return true;
}

}  // namespace

int main() {
  std::free(std::malloc(1));  // some start only now
  if (auto* hak_version = find<int()>("hak_version")) {
    print_number(hak_version(), 100);
  } else if (auto* mi_version = find<int()>("mi_version")) {
    const int version = mi_version();
    print_number(version, version < 1000 ? 10 : 100);
  } else if (!print_jemalloc() && !print_tcmalloc()) {
    if (auto* tbb_version = find<const char*()>("TBB_runtime_version")) {
      std::printf("%s\n", tbb_version());
    } else if (std::getenv("LD_PRELOAD") == nullptr) {
      std::printf("%s\n", gnu_get_libc_version());
    }
  }
  return 0;
}
