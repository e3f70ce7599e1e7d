// A build with HAKMEM_FREEZE, as far as it can be seen at compile time.
#define HAKMEM_FREEZE "HAKMEM_ONE=7,HAKMEM_TWO=0,HAKMEM_TWO_MORE=12"
#include <gtest/gtest.h>

#include "hakmem/config/options.hpp"

namespace {

using hakmem::config::frozen_value;

TEST(Freeze, NamedGatesHaveTheirValue) {
  static_assert(frozen_value("HAKMEM_ONE", 1) == 7);
  static_assert(frozen_value("HAKMEM_TWO", 1) == 0);
  EXPECT_EQ(frozen_value("HAKMEM_TWO_MORE", 1), 12U);
}

TEST(Freeze, OthersKeepTheAdoptedForm) {
  static_assert(frozen_value("HAKMEM_THREE", 1) == 1);
  static_assert(frozen_value("HAKMEM_TW", 5) == 5);
  EXPECT_EQ(frozen_value("HAKMEM_ONE_MORE", 3), 3U);
}

}  // namespace
