// The beginning and the end of a thread's cache.
#pragma once

#include "hakmem/front/magazine.hpp"

namespace hakmem {

// Gives the calling thread a cache. Its heap is a parked one; while there is none it does without
// until it shows that it needs one (thread_take_heap). False: no memory, or the thread is at its
// end; then it allocates and frees without a cache.
bool thread_attach();

// Gives the thread a heap of its own if it has none yet. False: no memory.
bool thread_take_heap();

// Parks the thread's heap. Its fast paths miss from now on. An idle thread returns everything it
// holds first, and may attach again. One that ends may leave its cache to the next thread, and may
// not attach again, since glibc still frees after the last destructor.
void thread_idle();
void thread_end();

// Returns what parked heaps' caches hold.
void parked_caches_release();

}  // namespace hakmem
