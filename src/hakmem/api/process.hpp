// The beginning of the process, of its threads, and fork.
#pragma once

namespace hakmem {

// Makes the library and the calling thread ready, at the thread's first slow-door visit. False:
// no memory, or the thread has ended already; it then works without a cache.
bool thread_ready();

}  // namespace hakmem
