// Memory given back from slabs: a hand goes round over all slabs of all heaps, like a clock's.
//
// A slab that has something to give and was not refilled from between two rounds has rested: its
// free pages go back to the system, or all of it when it is empty. A round begins when objects came
// back to slabs since the last one, and not before a purge delay has passed. Whoever visits the
// slow door moves the hand on, by a distance and a number of system calls that go with the time
// passed since it was last moved: it takes a small part of the program's time, whatever the size of
// the heap. So the slabs of threads that sleep or have ended are reached like all others.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hakmem {

// For slow-door visits: purges spans that waited for too long and moves the hand. Cheap when there
// is nothing to do: three loads. Returns the time in coarse milliseconds while so much memory may
// wait to be given back that a thread should come again for it, else 0.
std::uint64_t memory_tick();

// Whether anything waits to be given back. Two loads.
bool memory_waits();

// A round is wanted: objects came back to slabs. One load, as a rule.
void note_returned();

// Moves the hand until the round is over, or until the next one is due. For the janitor.
void holes_finish_round();

// Gives back at once all free pages of all slabs whose heap's door nobody holds. Returns the bytes.
std::size_t holes_punch_all();

// Which round it is: changes once in a purge delay while memory comes back.
std::uint32_t holes_round();

// For the child of a fork: whoever moved the hand is gone.
void holes_reset();

}  // namespace hakmem
