#include "hakmem/heap/bin.hpp"

#include <algorithm>

namespace hakmem {

unsigned Bin::level_of(const Descriptor* slab) {
  const unsigned available = slab_available(slab);
  if (available == 0) return kFullLevel;
  if (slab_is_empty(slab)) return kEmptyLevel;
  return std::min((available - 1) / step_of(slab), kLevels - 1);
}

void Bin::shelve(Descriptor* slab, unsigned level) {
  slab->slab.level = static_cast<std::uint8_t>(level);
  Descriptor* next = levels[level];
  slab->slab.next = next;
  slab->slab.prev = nullptr;
  if (next != nullptr) next->slab.prev = slab;
  levels[level] = slab;
  if (level == kEmptyLevel) ++empty;
}

void Bin::unshelve(Descriptor* slab) {
  const unsigned level = slab->slab.level;
  Descriptor* next = slab->slab.next;
  Descriptor* prev = slab->slab.prev;
  if (next != nullptr) next->slab.prev = prev;
  (prev != nullptr ? prev->slab.next : levels[level]) = next;
  if (level == kEmptyLevel) --empty;
}

Descriptor* Bin::fullest() const {
  for (unsigned level = 0; level <= kEmptyLevel; ++level) {
    if (levels[level] != nullptr) return levels[level];
  }
  return nullptr;
}

void Bin::remove(Descriptor* slab) {
  unshelve(slab);
  --slabs;
  regions -= slab->regions;
  objects -= capacity_of(slab);
}

void Bin::add(Descriptor* slab) {
  shelve(slab, level_of(slab));
  ++slabs;
  regions += slab->regions;
  objects += capacity_of(slab);
}

}  // namespace hakmem
