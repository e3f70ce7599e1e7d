// Producers allocate, consumers free: in pairs, one producer to three consumers, and three to one;
// and buffers of 1 to 512 KiB in pairs.
// Members are dealt into groups; in each, every producer has a ring to every consumer. Threads that
// are too many for a whole group join the last one, on the side that may have several.
//
// A consumer looks into one object in 16 only: looking fetches the object's line from the
// producer's CPU, which takes longer than all that an allocator does.
#include "bell.h"
#include "pages.h"
#include "spsc_ring.h"
#include "workload.h"

namespace bench {
namespace {

struct SmallObjects {
  static constexpr std::uint32_t kInFlight = 4096;  // in a ring
  static std::uint32_t size(Random& random) { return random.between(16, 1040); }
  static void fill(void* /*object*/, std::uint32_t /*size*/) {}
};

struct Buffers {
  static constexpr std::uint32_t kInFlight = 256;
  static std::uint32_t size(Random& random) { return random.buffer_size(9); }
  // A byte of each page: so all of it becomes memory, and time is still the allocator's.
  static void fill(void* object, std::uint32_t size) {
    for (std::uint32_t i = kPage; i < size; i += kPage) static_cast<volatile char*>(object)[i] = 1;
  }
  static constexpr std::uint32_t kPage = 4096;
};

constexpr std::uint32_t kLookAtOneIn = 16;
constexpr std::uint32_t kCapacity = SmallObjects::kInFlight;
using Ring = SpscRing<kCapacity, 32>;

// Asks for the level, which is on the reader's line, only where the ring has room for more.
template <class Objects>
bool push(Ring& ring, void* object) {
  if (Objects::kInFlight < kCapacity && ring.level_for_writer() >= Objects::kInFlight) return false;
  return ring.push(object);
}

// A member's place: the rings that it fills or empties in turn, and who is at their other ends. Who
// finds a ring full, or all empty, sleeps until one is half full.
struct Place {
  Ring** rings;
  Place** partners;
  std::uint32_t count;
  std::uint32_t next;
  bool produces;
  alignas(kCacheLine) Bell bell;
};

Place& place_of(Member& member) { return *static_cast<Place*>(member.state); }

void ring_all_partners(Place& place) {
  for (std::uint32_t i = 0; i < place.count; ++i) {
    if (place.produces) place.rings[i]->publish();
    place.partners[i]->bell.ring();
  }
}

template <class Calls, class Objects>
void produce(Member& member, Place& place) {
  while (!member.stopped()) {
    const std::uint32_t size = Objects::size(member.random);
    void* object = make_object<Calls>(member, size);
    Objects::fill(object, size);
    if (++place.next >= place.count) place.next = 0;
    Ring& ring = *place.rings[place.next];
    while (!push<Objects>(ring, object)) {
      if (member.stopped()) {
        drop_object<Untimed>(member, object);
        return ring_all_partners(place);
      }
      ring_all_partners(place);
      place.bell.wait([&] { return ring.level_for_writer() < Objects::kInFlight; });
    }
    Bell& partner = place.partners[place.next]->bell;
    if (partner.asleep() && ring.level_for_writer() >= Objects::kInFlight / 2) {
      ring.publish();
      partner.ring();
    }
    member.count();
  }
  ring_all_partners(place);
}

// Null when all rings are empty.
void* take(Place& place) {
  for (std::uint32_t looked = 0; looked < place.count; ++looked) {
    if (++place.next >= place.count) place.next = 0;
    if (void* object = place.rings[place.next]->pop()) return object;
  }
  return nullptr;
}

bool has_any(const Place& place) {
  for (std::uint32_t i = 0; i < place.count; ++i)
    if (place.rings[i]->level_for_reader() != 0) return true;
  return false;
}

template <class Calls, class Objects>
void consume(Member& member, Place& place) {
  std::uint32_t seen = 0;
  while (!member.stopped()) {
    void* object = take(place);
    if (object == nullptr) {
      ring_all_partners(place);
      place.bell.wait([&] { return has_any(place); });
      continue;
    }
    if (++seen % kLookAtOneIn == 0) {
      drop_object<Calls>(member, object);
    } else {
      Calls::release(member, object);
    }
    Bell& partner = place.partners[place.next]->bell;
    if (partner.asleep() && place.rings[place.next]->level_for_reader() <= Objects::kInFlight / 2)
      partner.ring();
    member.count();
  }
}

template <class Calls, class Objects>
End run(Member& member) {
  Place& place = place_of(member);
  if (place.produces) {
    produce<Calls, Objects>(member, place);
  } else {
    consume<Calls, Objects>(member, place);
  }
  return End::kStopped;
}

struct Shape {
  unsigned producers;
  unsigned consumers;
};

void set_up_group(Member* members, unsigned producers, unsigned consumers) {
  const unsigned count = producers + consumers;
  const std::size_t ends = 2 * std::size_t{producers} * consumers;
  auto* places = map_zeroed<Place>(count);
  auto* rings = map_zeroed<Ring>(ends / 2);
  auto** ring_lists = map_zeroed<Ring*>(ends);
  auto** partner_lists = map_zeroed<Place*>(ends);
  for (unsigned i = 0; i < count; ++i) {
    Place& place = places[i];
    place.produces = i < producers;
    place.count = place.produces ? consumers : producers;
    place.rings = ring_lists;
    place.partners = partner_lists;
    for (unsigned k = 0; k < place.count; ++k) {
      *ring_lists++ =
          place.produces ? &rings[i * consumers + k] : &rings[k * consumers + (i - producers)];
      *partner_lists++ = place.produces ? &places[producers + k] : &places[k];
    }
    members[i].state = &place;
    // Each object is counted once, on the side with more threads: fairness is a matter among them.
    members[i].counted = place.produces == (producers > consumers);
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

template <unsigned kProducers, unsigned kConsumers, class Objects = SmallObjects>
constexpr Workload producer_consumer(const char* name) {
  return {name,
          "an object handed over",
          2,
          false,
          set_up<kProducers, kConsumers>,
          run<Untimed, Objects>,
          run<Timed, Objects>,
          tear_down};
}

}  // namespace

const Workload kPairs = producer_consumer<1, 1>("pairs");
const Workload kOneToThree = producer_consumer<1, 3>("1to3");
const Workload kThreeToOne = producer_consumer<3, 1>("3to1");
const Workload kBuffers = producer_consumer<1, 1, Buffers>("buffers");

}  // namespace bench
