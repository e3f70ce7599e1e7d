// Counts the memory system calls (mmap, munmap, mremap, madvise, mprotect, brk) that a program
// makes between two marks, by running it once more under ptrace.
#pragma once

namespace bench {

// Called by the traced program around the part of interest. Costs one failing system call.
void mark_begin();
void mark_end();

// Starts this executable again with `arguments` (null-terminated, arguments[0] included), its
// output discarded, and follows it to mark_end(). Returns the count over all its threads, or -1
// where tracing is not allowed or the program ended early.
long count_memory_syscalls(char* const arguments[]);

}  // namespace bench
