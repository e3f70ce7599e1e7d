// What a benchmark tells about its own process, without allocating.
#pragma once

#include <cstdint>

namespace bench {

// The largest resident set so far, in KiB; 0 when it cannot be read. It is this program's own:
// ru_maxrss would count that of the process which started it.
std::uint64_t peak_rss_kib();

// What is resident now, in KiB.
std::uint64_t rss_kib();

// CPU time of this process in nanoseconds: what other processes do in between does not count.
std::uint64_t cpu_nanoseconds();

std::uint64_t wall_nanoseconds();

}  // namespace bench
