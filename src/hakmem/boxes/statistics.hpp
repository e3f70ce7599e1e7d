// Statistics: what the slow door counted, summed over all heaps.
//
// There is no counter on the fast path. What cannot be known without one, the number of mallocs and
// frees that the caches served, is not shown; carves and refills say how many objects went into the
// caches, flushes and remote frees how many came back.
#pragma once

#include <cstddef>

namespace hakmem {

struct Heap;

// In bytes. Takes the doors of all heaps one after the other; exact when other threads are quiet.
struct MemoryStatistics {
  std::size_t reserved;  // address space
  std::size_t used;      // spans of slabs and large objects
  std::size_t dirty;     // free spans whose memory waits to be used again
  std::size_t live;      // objects that programs or caches hold
  std::size_t metadata;  // made accessible for metadata
};
MemoryStatistics memory_statistics();

struct HeapStatistics {
  std::size_t live_objects;
  std::size_t live_bytes;
  std::size_t held_bytes;  // slabs and large objects
};
HeapStatistics heap_statistics(Heap* heap);

// The table, written to a file descriptor without allocating.
void print_statistics(int fd);

}  // namespace hakmem
