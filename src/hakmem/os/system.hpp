// What the system says of itself: limits, time, the shape of the address space. Errno is kept.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hakmem::os {

// RLIMIT_AS in bytes, SIZE_MAX when there is none. It may fall while the program runs.
std::size_t address_space_limit();

// Whether the system promises only memory it has (vm.overcommit_memory is 2), at the first call.
bool strict_overcommit();

// The least of memory.max and memory.high (v2) and memory.limit_in_bytes (v1, below `root`/memory)
// of the process's control group and those above it, in bytes, as far as they can be read;
// SIZE_MAX: no limit is seen. Some dozen system calls. The arguments are for tests.
std::size_t cgroup_memory_limit(const char* membership = "/proc/self/cgroup",
                                const char* root = "/sys/fs/cgroup");

// Bytes of address space: 2^47 on x86-64, 2^39 to 2^52 on aarch64, read off the stack's address.
std::size_t address_space_size();

// Milliseconds of a cheap monotonic clock, coarse (a few milliseconds). While nobody asks it goes
// on by the bound at most, at first 100: what a program that slept kept for later is not old then.
std::uint64_t coarse_milliseconds();
void bound_clock_gaps(std::uint64_t most);

// Keeps what descriptor 2 is now: coreutils close theirs before the last destructors. The second
// finds a descriptor that leads there still; -1: the program has closed them, or begun without.
void keep_standard_error();
int standard_error();

// Lets other threads run for about that long; 0 only yields.
void pause_microseconds(unsigned microseconds);

// Once in so many calls, on average: up to some hundred microseconds.
void pause_at_random(std::uint64_t once_in);

}  // namespace hakmem::os
