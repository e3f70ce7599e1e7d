// Objects freed by threads that do not own their slab: one atomic OR for all objects of a word of
// the bitmap, and one word, the summary, that says which words want collecting.
//
// The rule everything rests on: a slab is on some heap's pending list, or in the hands of whoever
// took it off, exactly while its summary is not 0. So whoever turns the summary from 0 to not 0
// pushes the slab, and nobody else does.
#pragma once

#include "hakmem/slab/slab.hpp"

namespace hakmem {

// Frees the objects `mask` of word `word` of a slab of class `k`. Any thread that may free them.
// True: the caller must push the slab on the pending list of `owner`, which the caller read
// *before* this call: until the OR the objects keep the slab alive, afterwards it may be anybody's
// or nobody's. Ends the program when one of the objects waits to be collected already.
[[nodiscard]] bool remote_return(Descriptor* slab, const SizeClass& k, unsigned word,
                                 std::uint64_t mask);

// Takes the summary of a slab that is on no list any more, and whose link was read before.
std::uint64_t remote_take_summary(Descriptor* slab);

// Puts back a summary of another heap's slab. True: the caller must push it on that heap's list.
[[nodiscard]] bool remote_put_back(Descriptor* slab, std::uint64_t summary);

// Moves the objects of the words that `summary` names into the slab's own bitmap. The caller holds
// the door of the slab's heap. Returns how many objects came.
unsigned remote_collect(Descriptor* slab, std::uint64_t summary);

// The words of a slab's remote bitmap that are not 0. For the child of a fork.
std::uint64_t remote_filled_words(Descriptor* slab);

}  // namespace hakmem
