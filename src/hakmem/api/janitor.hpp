// The janitor: a thread that does what slow-door visits do, for programs that make none: it gives
// back what waited long enough, helps heaps whose owners sleep, and moves the hand over the slabs.
// There is none unless HAKMEM_BACKGROUND=1 asks for it.
#pragma once

#include <atomic>

namespace hakmem {

// Read at each slow-door malloc: relaxed, who comes late starts it a visit later.
extern constinit std::atomic<bool> janitor_missing;
inline bool janitor_is_missing() { return janitor_missing.load(std::memory_order_relaxed); }

// The next slow-door malloc is to start it, if it was asked for: libc is ready, or this is the
// child of a fork, which has none. A child that ends or calls exec before it allocates gets none.
void janitor_request();

// For a thread that may allocate and holds no lock of ours.
void janitor_start();

}  // namespace hakmem
