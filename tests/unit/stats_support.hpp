// What the tests of memory statistics share.
#pragma once

#include "hakmem/hakmem.h"

namespace hakmem {

inline hak_stats_t stats() {
  hak_stats_t s{};
  hak_stats(&s);
  return s;
}

}  // namespace hakmem
