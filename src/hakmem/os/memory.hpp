// Address space and pages. Every memory system call of the library stands in memory.cpp.
//
// All functions keep errno. Addresses and sizes are multiples of page_size().
#pragma once

#include <cstddef>
#include <cstdint>

namespace hakmem::os {

// The size of a page in bytes, asked of the system, or what inject_page_size said.
std::size_t page_size();

// For tests, before any other call: pages of this size, a power of two from the system's on.
void inject_page_size(std::size_t bytes);

// Takes address space without access. Null on failure.
void* reserve(std::size_t bytes);

// Gives address space back.
void release(void* p, std::size_t bytes);

// Makes reserved memory readable and writable; it reads as zero. False when the system refuses.
[[nodiscard]] bool commit(void* p, std::size_t bytes);

// Makes reserved memory readable, and it reads as zero; or committed memory no longer writable.
[[nodiscard]] bool make_readable(void* p, std::size_t bytes);

// Gives the pages back. True when they are gone and the memory reads as zero; false when the
// system does not do it, and then nothing has changed.
[[nodiscard]] bool purge(void* p, std::size_t bytes);

// Takes memory of its own, readable and writable; it reads as zero. Null on failure.
void* map(std::size_t bytes);

// Moves the pages of accessible memory to an address that the system chooses, by its page tables:
// nothing is copied. The memory at `p` stays accessible, and reads as zero. Null when the system
// does not do it (before Linux 5.7, emulators, locked pages, several mappings): nothing changed.
void* move_out(void* p, std::size_t bytes);

// Grows memory from map, move_out or remap; it may move. What is added reads as zero.
// Null when it cannot be had, and then nothing has changed.
void* remap(void* p, std::size_t old_bytes, std::size_t bytes);

// How many bytes of a range are in memory now. Pages that were only read may count, although
// nothing is behind them. 0 where the system does not say.
std::size_t resident_bytes(const void* p, std::size_t bytes);

// Whether most pages are, judged by some of them: a guess; no where the system does not say.
bool mostly_resident(const void* p, std::size_t bytes);

// Transparent huge pages out of a range, or into it where it is touched; or all pages at once, not
// one by one. Nothing where the system does not know the advice.
enum class Advice { no_huge_pages, huge_pages, populate };
void advise(void* p, std::size_t bytes, Advice advice);

// Memory system calls made so far.
std::uint64_t memory_calls();

// For tests: the n-th memory system call that can fail from now on fails. 0: none.
void fail_memory_call(std::uint64_t n);

}  // namespace hakmem::os
