// Runs the suites, unless malloc is not the library's: a test of glibc would prove nothing.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdio>
#include <cstdlib>

#include "hakmem/hakmem.h"

namespace {

const char* module_of(const char* symbol) {
  Dl_info info{};
  void* const address = dlsym(RTLD_DEFAULT, symbol);
  return address != nullptr && dladdr(address, &info) != 0 ? info.dli_fname : "nowhere";
}

bool library_in_use() {
  void* const p = std::malloc(100);
  const bool ours = malloc_usable_size(p) == hak_good_size(100);
  std::free(p);
  return ours;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!library_in_use()) {
    std::fprintf(stderr, "malloc of %s, hak_version of %s: not the library under test\n",
                 module_of("malloc"), module_of("hak_version"));
    return 2;
  }
  const int result = RUN_ALL_TESTS();
  if (testing::UnitTest::GetInstance()->test_to_run_count() == 0) {
    std::fprintf(stderr, "the filter chose no test\n");
    return 2;
  }
  return result;
}
