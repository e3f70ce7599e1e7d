// For stress tests: random pauses at the boundaries behind the slow door, where other threads may
// come in between. Only the lab flavour has them (HAKMEM_DELAY); elsewhere they are nothing.
#pragma once

#include "hakmem/config/options.hpp"
#include "hakmem/os/system.hpp"

namespace hakmem::config {

HAK_INLINE void delay_point() {
  if (delay() != 0) os::pause_at_random(delay());
}

}  // namespace hakmem::config
