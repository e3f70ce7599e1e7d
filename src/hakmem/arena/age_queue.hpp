// Free spans by age. Each enters at the young end, or takes another's place: nothing is compared.
#pragma once

#include "hakmem/arena/descriptor.hpp"

namespace hakmem {

class AgeQueue {
 public:
  // Between which two a span stands.
  struct Place {
    Descriptor* older;
    Descriptor* newer;
  };

  Descriptor* oldest() const { return oldest_; }
  Place newest_place() const { return {newest_, nullptr}; }
  // Good until one of the two is inserted or removed.
  static Place place_of(const Descriptor* span) { return {span->free.older, span->free.newer}; }

  void insert(Descriptor* span, Place place) {
    span->free.older = place.older;
    span->free.newer = place.newer;
    (place.older != nullptr ? place.older->free.newer : oldest_) = span;
    (place.newer != nullptr ? place.newer->free.older : newest_) = span;
  }

  void remove(Descriptor* span) {
    (span->free.newer != nullptr ? span->free.newer->free.older : newest_) = span->free.older;
    (span->free.older != nullptr ? span->free.older->free.newer : oldest_) = span->free.newer;
  }

 private:
  Descriptor* oldest_ = nullptr;
  Descriptor* newest_ = nullptr;
};

}  // namespace hakmem
