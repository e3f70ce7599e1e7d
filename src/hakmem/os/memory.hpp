// Address space and pages. Every memory system call of the library stands in memory.cpp.
//
// All functions keep errno. Addresses and sizes are multiples of page_size().
#pragma once

#include <cstddef>
#include <cstdint>

namespace hakmem::os {

// The size of a page in bytes, asked of the system, or what inject_page_size said.
std::size_t page_size();

// For tests: work as if pages had this size, a power of two not below the system's. Before any
// other call. Other values are ignored.
void inject_page_size(std::size_t bytes);

// Takes address space without access. Null on failure.
void* reserve(std::size_t bytes);

// Gives address space back.
void release(void* p, std::size_t bytes);

// Makes reserved memory readable and writable; it reads as zero. False when the system refuses.
[[nodiscard]] bool commit(void* p, std::size_t bytes);

// Makes reserved memory readable; it reads as zero.
[[nodiscard]] bool make_readable(void* p, std::size_t bytes);

// Write-protects committed memory for good.
void seal(void* p, std::size_t bytes);

// Gives the pages back. True when they are gone and the memory reads as zero; false when the
// system does not do it, and then nothing has changed.
[[nodiscard]] bool purge(void* p, std::size_t bytes);

// Keeps transparent huge pages out of a range.
void refuse_huge_pages(void* p, std::size_t bytes);

// How many bytes of a range are in memory now. Pages that were only read may count, although
// nothing is behind them. 0 where the system does not say.
std::size_t resident_bytes(const void* p, std::size_t bytes);

// Memory system calls made so far.
std::uint64_t memory_calls();

// For tests: the n-th memory system call that can fail from now on fails. 0: none.
void fail_memory_call(std::uint64_t n);

}  // namespace hakmem::os
