// For stress tests: random pauses at the boundaries behind the slow door, where other threads may
// come in between. Only the lab flavour has them (HAKMEM_DELAY); elsewhere they are nothing.
#pragma once

#include "hakmem/config/options.hpp"

namespace hakmem::config {

// Once in config::delay() calls, on average: up to some hundred microseconds.
void pause_at_random();

HAK_INLINE void delay_point() {
  if (delay() != 0) pause_at_random();
}

}  // namespace hakmem::config
