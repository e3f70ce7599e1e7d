// What the system says of itself: limits, time, the shape of the address space.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hakmem::os {

// RLIMIT_AS in bytes, SIZE_MAX when there is none. It may fall while the program runs.
std::size_t address_space_limit();

// Whether the system promises no memory that it does not have (vm.overcommit_memory is 2).
bool strict_overcommit();

// The bytes of address space that user programs can have here: 2^47 on x86-64, 2^39 to 2^52 on
// aarch64, read off the address of the stack.
std::size_t address_space_size();

// Milliseconds of a monotonic clock that is cheap and coarse (a few milliseconds).
std::uint64_t coarse_milliseconds();

// Lets other threads run for about that long; 0 only yields. Errno is left alone.
void pause_microseconds(unsigned microseconds);

}  // namespace hakmem::os
