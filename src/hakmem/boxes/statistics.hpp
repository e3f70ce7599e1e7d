// Statistics: where the memory is, and what the slow door counted, summed over all heaps.
//
// There is no counter on the fast path. What cannot be known without one, the number of mallocs and
// frees that the caches served, is not shown; carves and refills say how many objects went into the
// caches, flushes and collects how many came back, and their arrays what they hold now.
#pragma once

#include <cstddef>

#include "hakmem/hakmem.h"

namespace hakmem {

struct Heap;

// What hakmem.h promises of hak_stats. Everything else shows parts of this. `metadata_resident`
// costs a system call for each 16 MiB of metadata, and only `ask_system` makes them.
hak_stats_t memory_statistics(bool ask_system);

// What it promises of hak_heap_stats.
hak_heap_stats_t heap_statistics(Heap* heap);

// The table, written to a file descriptor without allocating.
void print_statistics(int fd);

// As hak_stats_json, and the same written to a file descriptor.
std::size_t json_statistics(char* buffer, std::size_t size);
void print_json_statistics(int fd);

}  // namespace hakmem
