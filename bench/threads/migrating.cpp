// After mimalloc's mstress: threads allocate and free at random, and swap objects with one another
// through a shared array. All threads end together and new ones start; what is in the array, and an
// eighth of each thread's own objects, survives them.
#include "pages.h"
#include "workload.h"

namespace bench {
namespace {

constexpr std::uint32_t kOwn = 1000;
constexpr std::uint32_t kShared = 1000;

struct Objects {
  void* own[kOwn];
  std::atomic<void*>* shared;
};

Objects& objects_of(Member& member) { return *static_cast<Objects*>(member.state); }

// Mostly small; one in 16 up to 4 KiB, one in 256 up to 64 KiB.
std::uint32_t any_size(Random& random) {
  const std::uint32_t r = random.next();
  if ((r & 0xff) == 0) return random.between(4096, 65536);
  if ((r & 0x0f) == 0) return random.between(256, 4096);
  return random.between(kSmallestObject, 256);
}

template <class Calls>
End run(Member& member) {
  Objects& objects = objects_of(member);
  while (!member.stopped()) {
    const std::uint32_t r = member.random.next();
    void*& object = objects.own[member.random.below(kOwn)];
    if ((r & 0x300) == 0) {
      object =
          objects.shared[member.random.below(kShared)].exchange(object, std::memory_order_acq_rel);
    } else if (object == nullptr) {
      object = make_object<Calls>(member, any_size(member.random));
    } else {
      drop_object<Calls>(member, object);
      object = nullptr;
    }
    member.count();
  }
  for (std::uint32_t i = kOwn / 8; i < kOwn; ++i) {
    drop_if_any<Calls>(member, objects.own[i]);
    objects.own[i] = nullptr;
  }
  return End::kStopped;
}

void set_up(Member* members, unsigned count) {
  auto* objects = map_zeroed<Objects>(count);
  auto* shared = map_zeroed<std::atomic<void*>>(kShared);
  for (unsigned i = 0; i < count; ++i) {
    objects[i].shared = shared;
    members[i].state = &objects[i];
  }
}

void tear_down(Member* members, unsigned count) {
  Objects& first = objects_of(members[0]);
  for (unsigned i = 0; i < kShared; ++i) drop_if_any<Untimed>(members[0], first.shared[i].load());
  for (unsigned i = 0; i < count; ++i)
    for (void* object : objects_of(members[i]).own) drop_if_any<Untimed>(members[i], object);
}

}  // namespace

const Workload kMigrating = {
    "migrating", "an object allocated, freed or swapped", 1, true, set_up, run<Untimed>, run<Timed>,
    tear_down};

}  // namespace bench
