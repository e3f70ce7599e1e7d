// What there may be of each size class.
#pragma once

#include <vector>

#include "hakmem/slab/size_classes.hpp"

namespace hakmem {

// How many regions slabs of the class may have.
inline std::vector<unsigned> slab_lengths(const SizeClass& k) {
  std::vector<unsigned> lengths;
  for (unsigned n = 1; n <= k.capacity && k.is_long(); ++n) lengths.push_back(k.regions_of(n));
  for (unsigned n = 1; n <= k.regions && !k.is_long(); n *= 2) lengths.push_back(n);
  return lengths;
}

}  // namespace hakmem
