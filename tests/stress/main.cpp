// Runs the suites; a stress of some other malloc would prove nothing, so it is refused.
#include <gtest/gtest.h>

#include <cstdio>

#include "hakmem/hakmem.h"
#include "stress/subject.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  void* const p = subject::allocate(100);
  const bool ours = subject::usable(p) == hak_good_size(100);
  subject::release(p);
  if (!ours) {
    std::fprintf(stderr, "malloc is not that of the library under test\n");
    return 2;
  }
  const int result = RUN_ALL_TESTS();
  return testing::UnitTest::GetInstance()->test_to_run_count() == 0 ? 2 : result;
}
