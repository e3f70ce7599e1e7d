// Producers allocate, consumers free: in pairs, one producer to three consumers, and three to one.
// Members are dealt into groups; in each, every producer has a ring to every consumer. Threads that
// are too many for a whole group join the last one, on the side that may have several.
//
// A consumer looks into one object in 16 only: looking fetches the object's line from the
// producer's CPU, which takes longer than all that an allocator does.
#include "pages.h"
#include "patience.h"
#include "spsc_ring.h"
#include "workload.h"

namespace bench {
namespace {

constexpr std::uint32_t kSmallest = 16;
constexpr std::uint32_t kLargest = 1040;

constexpr std::uint32_t kLookAtOneIn = 16;

using Ring = SpscRing<4096, 32>;

// A member's place: the rings that it fills or empties in turn.
struct Place {
  Ring** rings;
  std::uint32_t count;
  std::uint32_t next;
  bool produces;
};

Place& place_of(Member& member) { return *static_cast<Place*>(member.state); }

Ring* next_ring(Place& place) {
  if (++place.next >= place.count) place.next = 0;
  return place.rings[place.next];
}

template <class Calls>
void produce(Member& member, Place& place) {
  Patience patience;
  while (!member.stopped()) {
    void* object = make_object<Calls>(member, member.random.between(kSmallest, kLargest));
    while (!next_ring(place)->push(object)) {
      if (member.stopped()) {
        drop_object<Untimed>(member, object);
        break;
      }
      patience.lose();
    }
    patience.regain();
    member.count();
  }
  for (std::uint32_t i = 0; i < place.count; ++i) place.rings[i]->publish();
}

template <class Calls>
void consume(Member& member, Place& place) {
  Patience patience;
  std::uint32_t seen = 0;
  while (!member.stopped()) {
    void* object = next_ring(place)->pop();
    if (object == nullptr) {
      patience.lose();
      continue;
    }
    patience.regain();
    if (++seen % kLookAtOneIn == 0) {
      drop_object<Calls>(member, object);
    } else {
      Calls::release(member, object);
    }
    member.count();
  }
}

template <class Calls>
End run(Member& member) {
  Place& place = place_of(member);
  if (place.produces) {
    produce<Calls>(member, place);
  } else {
    consume<Calls>(member, place);
  }
  return End::kStopped;
}

struct Shape {
  unsigned producers;
  unsigned consumers;
};

void set_up_group(Member* members, unsigned producers, unsigned consumers) {
  const unsigned count = producers + consumers;
  auto* places = map_zeroed<Place>(count);
  auto* rings = map_zeroed<Ring>(std::size_t{producers} * consumers);
  auto** lists = map_zeroed<Ring*>(2 * std::size_t{producers} * consumers);
  for (unsigned i = 0; i < count; ++i) {
    const bool produces = i < producers;
    places[i] = {lists, produces ? consumers : producers, 0, produces};
    for (unsigned k = 0; k < places[i].count; ++k)
      *lists++ = produces ? &rings[i * consumers + k] : &rings[k * consumers + (i - producers)];
    members[i].state = &places[i];
    // Each object is counted once, on the side with more threads: fairness is a matter among them.
    members[i].counted = produces == (producers > consumers);
  }
}

void set_up(Member* members, unsigned count, Shape shape) {
  const unsigned whole = shape.producers + shape.consumers;
  while (count != 0) {
    // Less than two groups are left: all join this one, or it is not even whole.
    const unsigned size = count < 2 * whole ? count : whole;
    const bool producers_spread = shape.producers > shape.consumers;
    if (producers_spread) {
      set_up_group(members, size - 1, 1);
    } else {
      set_up_group(members, 1, size - 1);
    }
    members += size;
    count -= size;
  }
}

template <unsigned kProducers, unsigned kConsumers>
void set_up(Member* members, unsigned count) {
  set_up(members, count, {kProducers, kConsumers});
}

void tear_down(Member* members, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    Place& place = place_of(members[i]);
    for (unsigned k = 0; !place.produces && k < place.count; ++k)
      while (void* object = place.rings[k]->pop()) drop_object<Untimed>(members[i], object);
  }
}

template <unsigned kProducers, unsigned kConsumers>
constexpr Workload producer_consumer(const char* name) {
  return {name,
          "an object handed over",
          2,
          false,
          set_up<kProducers, kConsumers>,
          run<Untimed>,
          run<Timed>,
          tear_down};
}

}  // namespace

const Workload kPairs = producer_consumer<1, 1>("pairs");
const Workload kOneToThree = producer_consumer<1, 3>("1to3");
const Workload kThreeToOne = producer_consumer<3, 1>("3to1");

}  // namespace bench
