// The free spans of all arenas: how they are found, merged, cut and taken. For the span allocator
// alone (arena/spans.hpp), whose lock protects it all.
#pragma once

#include "hakmem/arena/age_queue.hpp"
#include "hakmem/arena/arena.hpp"
#include "hakmem/arena/span_tree.hpp"

namespace hakmem {

extern constinit SpanTree dirty_spans;
extern constinit SpanTree clean_spans;
extern constinit SpanTree reserved_spans;
extern constinit AgeQueue waiting;  // dirty spans in the order they were freed
extern constinit std::size_t free_regions;

// Read without the lock to see whether a visit is worth it: relaxed, a late answer costs one.
extern constinit std::atomic<std::size_t> dirty_regions;

// Age of memory that the system would not take back (locked pages): it is not offered again.
inline constexpr std::uint64_t kNever = UINT64_MAX;

// `place` counts for dirty spans that have an age.
void make_free(Descriptor* head, std::size_t regions, bool dirty, std::uint64_t since,
               AgeQueue::Place place, bool reserved = false);

// Frees a busy span, merged with neighbours of its kind. Returns what became of it. In the list by
// age it takes the place of the part whose age it has: so the list stays in order.
Descriptor* insert_coalesced(Descriptor* head, bool dirty, std::uint64_t since);

// What was reserved for `head` to grow into serves everybody from now on.
void end_reservation(Descriptor* head);

// Makes the first region's descriptor speak for so many regions of a span that is not free.
Descriptor* busy_span(const Arena& arena, std::size_t region, std::size_t regions);

// Cuts [from, from + regions) out of a free span and returns it busy.
Descriptor* cut_out(Descriptor* span, std::size_t from, std::size_t regions);

// The smallest that will do, or the rest of an arena beyond its frontier; null: there is none.
Descriptor* take_fit(SpanTree& tree, std::size_t regions, std::size_t alignment);
Descriptor* take_frontier(std::size_t regions, std::size_t alignment);

// Where what is free from `from` on ends, or something from `enough` on. Beyond the frontier all is
// free. Free spans of both kinds alternate, so this is one step for each that is taken.
std::size_t free_until(const Arena& arena, std::size_t from, std::size_t enough);

// Takes [from, to), which is free, or beyond the frontier; what is free there begins at `first`.
bool take_free(Arena& arena, Descriptor* first, std::size_t from, std::size_t to);

// A dirty span that is too small, with what is free beside it: what is taken of it needs no fresh
// pages, and what is clean and small finds a use. The largest are tried, down to a quarter.
Descriptor* take_extended(std::size_t regions);

// Whether some arena has address space left for it.
bool has_room(std::size_t regions, std::size_t alignment);

}  // namespace hakmem
