// The states of all threads, those that wait with a parked heap included: so that statistics can
// say what caches hold, although nothing is counted where they are used.
#pragma once

#include "hakmem/front/magazine.hpp"
#include "hakmem/os/lock.hpp"

namespace hakmem {

void states_add(ThreadState* state);
void states_remove(ThreadState* state);

// From now on the calling thread's arrays may be looked at by others, until cache_put_away. Only
// for a thread whose end will be seen: the cache is gone with it.
void states_show_mine();

// Bytes of objects in caches: exact while their threads are quiet, else off by what they can hold.
std::size_t states_cached_bytes();

// Guards the list, and who is shown.
os::Lock& states_lock();

// The first of the list, linked by next. The caller holds the lock.
ThreadState* states_first();

// In the child of a fork: forgets the states of threads that are gone. The caller holds the lock.
void states_forget_others();

}  // namespace hakmem
