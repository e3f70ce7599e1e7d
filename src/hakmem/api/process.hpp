// The beginning of the process, of its threads, and fork.
#pragma once

namespace hakmem {

// Makes the library and the calling thread ready, at the thread's first slow-door visit. False:
// no memory, or the thread has ended already; it then works without a cache.
bool thread_ready();

// Reads the options as soon as libc has set up the environment. A malloc before that finds
// defaults.
void process_ready();

}  // namespace hakmem
