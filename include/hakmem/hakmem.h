/* hakmem.h: the C interface of HAKMEM.
 *
 * Every function here may be called from any thread at any time, except from a signal handler.
 * Sizes are in bytes. "The heap" is the process-wide HAKMEM heap: memory obtained through any
 * function below may be released through any other (and, in a program that runs under
 * libhakmem.so, through the standard functions of the same meaning).
 */
#ifndef HAKMEM_HAKMEM_H
#define HAKMEM_HAKMEM_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__GNUC__)
#define HAK_EXPORT __attribute__((visibility("default")))
#define HAK_ALLOCATES __attribute__((malloc, warn_unused_result))
#else
#define HAK_EXPORT
#define HAK_ALLOCATES
#endif

#define HAKMEM_VERSION_MAJOR 0
#define HAKMEM_VERSION_MINOR 1
#define HAKMEM_VERSION_PATCH 0
/* major * 10000 + minor * 100 + patch */
#define HAKMEM_VERSION 100

#ifdef __cplusplus
extern "C" {
#endif

/* Allocates `size` bytes aligned to 16. A size of 0 gives a unique pointer.
 * Returns NULL and sets errno to ENOMEM when memory cannot be had. The caller owns the memory
 * until hak_free. */
HAK_EXPORT HAK_ALLOCATES void* hak_malloc(size_t size);

/* Allocates `count` objects of `size` bytes, all zero, aligned to 16.
 * NULL and ENOMEM when the product overflows or memory cannot be had. */
HAK_EXPORT HAK_ALLOCATES void* hak_calloc(size_t count, size_t size);

/* Changes the size of `p`, keeping the first min(old, new) bytes; the object may move.
 * hak_realloc(NULL, n) is hak_malloc(n). hak_realloc(p, 0) frees `p` and returns NULL, as glibc
 * does. On failure returns NULL, sets ENOMEM, and `p` stays valid. */
HAK_EXPORT __attribute__((warn_unused_result)) void* hak_realloc(void* p, size_t size);

/* hak_realloc(p, count * size) with the product checked for overflow (NULL, ENOMEM, `p` stays). */
HAK_EXPORT __attribute__((warn_unused_result)) void* hak_reallocarray(void* p, size_t count,
                                                                      size_t size);

/* Allocates `size` bytes aligned to `alignment`, a power of two from 1 to 1 GiB.
 * NULL and EINVAL for any other alignment; NULL and ENOMEM when memory cannot be had. */
HAK_EXPORT HAK_ALLOCATES void* hak_aligned_alloc(size_t alignment, size_t size);

/* Releases `p`. NULL is ignored and errno is kept. A pointer that is not an object of the heap,
 * or is already free, ends the program with one line on stderr where that can be told
 * (docs/design.md says what is caught at once, what later, and what not). */
HAK_EXPORT void hak_free(void* p);

/* Releases `p`, whose size as requested at allocation was `size`. */
HAK_EXPORT void hak_free_sized(void* p, size_t size);

/* Releases `p`, allocated with this `alignment` and `size`. */
HAK_EXPORT void hak_free_aligned_sized(void* p, size_t alignment, size_t size);

/* The bytes that may be used at `p`, at least the size requested; 0 for NULL. All of them may be
 * written and are kept by hak_realloc. */
HAK_EXPORT size_t hak_usable_size(const void* p);

/* The usable size that hak_malloc(size) gives at least: asking for it wastes nothing. (The first
 * objects of a thread may be a little larger, and large objects up to a quarter. From 32 KiB on
 * hak_calloc, and hak_realloc that grows, may give less than that, though never less than `size`.)
 * 0 when `size` is larger than any object can be. */
HAK_EXPORT size_t hak_good_size(size_t size);

/* Gives memory back to the system: flushes the calling thread's cache and returns what is free in
 * its heap and in parked heaps. With `force`, memory that waits to be reused goes too, and so do
 * the large objects that other threads freed and keep for their next ones. Returns the number of
 * bytes returned to the system. */
HAK_EXPORT size_t hak_collect(bool force);

/* For a thread that will be idle for a while: everything that its cache holds goes back, its own
 * objects and those of other threads, and its heap is there for the next thread, whose objects may
 * come to lie in cache lines with those that the caller keeps. It may go on allocating at any time,
 * and then starts anew. Without this call an idle thread holds back at most its cache budget
 * (HAKMEM_CACHE_BUDGET; but small arrays of all classes, 2.4 MB, where it is less) and 256 KiB, or
 * a thousand objects, of other threads. */
HAK_EXPORT void hak_thread_idle(void);

/* ---- First-class heaps ----
 *
 * A heap whose objects can be released all at once. Any thread may allocate from it and release
 * its objects one by one, with hak_free or any other releasing function; hak_realloc moves an
 * object to the process-wide heap where it must move, hak_heap_realloc keeps it in its heap.
 * Allocating takes the heap's lock, and objects of different threads may share a cache line: a heap
 * is for grouping objects, not for speed.
 */
typedef struct hak_heap hak_heap_t; /* NOLINT(modernize-use-using): this is C */

/* A new, empty heap, owned by the caller until hak_heap_destroy. NULL and ENOMEM when there is no
 * memory for one, or when there are some 500,000 heaps already. */
HAK_EXPORT __attribute__((warn_unused_result)) hak_heap_t* hak_heap_new(void);

/* Releases the heap and all its objects. No thread may use either any more, not even to free:
 * a later hak_free of one of the objects is a double free. NULL is ignored. */
HAK_EXPORT void hak_heap_destroy(hak_heap_t* heap);

/* As hak_malloc, hak_calloc, hak_realloc and hak_aligned_alloc, from this heap.
 * hak_heap_realloc takes objects of any heap; where it must move one, the new place is in `heap`.
 */
HAK_EXPORT HAK_ALLOCATES void* hak_heap_malloc(hak_heap_t* heap, size_t size);
HAK_EXPORT HAK_ALLOCATES void* hak_heap_calloc(hak_heap_t* heap, size_t count, size_t size);
HAK_EXPORT __attribute__((warn_unused_result)) void* hak_heap_realloc(hak_heap_t* heap, void* p,
                                                                      size_t size);
HAK_EXPORT HAK_ALLOCATES void* hak_heap_aligned(hak_heap_t* heap, size_t alignment, size_t size);

/* What a heap holds. Sizes in bytes, rounded up as hak_usable_size shows them. */
typedef struct {       /* NOLINT(modernize-use-using) */
  size_t live_objects; /* allocated and not released */
  size_t live_bytes;   /* of those */
  size_t held_bytes;   /* taken from the system for this heap, free parts included */
} hak_heap_stats_t;

/* Fills in `stats`. Exact when no other thread uses the heap at the same time. */
HAK_EXPORT void hak_heap_stats(hak_heap_t* heap, hak_heap_stats_t* stats);

/* The version the library was built as, comparable with HAKMEM_VERSION. */
HAK_EXPORT int hak_version(void);

/* Where the memory is, in bytes. These two hold always:
 *
 *   mapped    = committed + address space that is only reserved
 *   committed = live + cached + free + slack + dirty + purged + metadata
 *
 * Each part is exact while the other threads are quiet (and the calling thread, of course). Beside
 * threads at work, what they are just doing may show in a neighbouring part, by at most what their
 * caches can hold each. */
typedef struct {            /* NOLINT(modernize-use-using) */
  size_t mapped;            /* address space taken from the system */
  size_t committed;         /* of that, accessible: what strict overcommit counts */
  size_t live;              /* objects of the program, at their usable sizes */
  size_t cached;            /* free objects in threads' caches, or on their way home from there */
  size_t free;              /* free and never used objects in slabs; spans that heaps took ahead */
  size_t slack;             /* what no object can have: ends of slabs and of large objects */
  size_t dirty;             /* free spans that wait to be used again: likely resident */
  size_t purged;            /* accessible, but nothing is there: given back, or never used */
  size_t metadata;          /* accessible for the allocator's own books */
  size_t punched;           /* of purged: pages inside slabs in use */
  size_t metadata_resident; /* of metadata: in memory, as the system says; the rest is ahead */
  size_t heaps;             /* how many there were at most, of threads and shared ones */
  size_t purges;            /* how often a span was given back */
  size_t memory_calls;      /* memory system calls so far */
} hak_stats_t;

/* Fills in `stats`. How often hak_malloc and hak_free were called is not known: nothing is counted
 * where a thread's cache serves the call. Takes the lock of each heap in turn, while it collects
 * there what other threads freed. */
HAK_EXPORT void hak_stats(hak_stats_t* stats);

/* The same and the counters of each size class in use, as a JSON object: the parts above by their
 * names, "version", and "classes", a list. Writes at most `size` bytes with the null at the end,
 * and returns the length of the whole text: it was cut if that is not less than `size`. 24 KiB are
 * enough. Allocates nothing. */
HAK_EXPORT size_t hak_stats_json(char* buffer, size_t size);

/* Writes the statistics table (per size class and band: carves, refills, flushes, remote frees,
 * slabs, bytes) to the file descriptor `fd`. Allocates nothing. */
HAK_EXPORT void hak_print_stats(int fd);

#ifdef __cplusplus
}
#endif

#endif
