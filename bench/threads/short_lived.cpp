// Short-lived threads: each member starts a thread, waits for its end and starts the next. Such a
// thread allocates a few hundred objects, frees most of them, and swaps an eighth for what earlier
// threads of all members left behind, which it frees.
#include <pthread.h>

#include "pages.h"
#include "workload.h"

namespace bench {
namespace {

constexpr std::uint32_t kFewest = 100;
constexpr std::uint32_t kMost = 400;
constexpr std::uint32_t kSmallest = 16;
constexpr std::uint32_t kLargest = 1024;
constexpr std::uint32_t kLeft = 512;  // objects that wait for others to free them, for each member
constexpr std::size_t kStackBytes = std::size_t{128} << 10;

struct Exchange {
  std::atomic<void*>* left;
  std::uint32_t count;
};

Exchange& exchange_of(Member& member) { return *static_cast<Exchange*>(member.state); }

template <class Calls>
void* live_shortly(void* argument) {
  Member& member = *static_cast<Member*>(argument);
  if (member.latency != nullptr) member.latency->on_new_thread();
  Exchange& exchange = exchange_of(member);
  void* objects[kMost];
  const std::uint32_t count = member.random.between(kFewest, kMost);
  for (std::uint32_t i = 0; i < count; ++i)
    objects[i] = make_object<Calls>(member, member.random.between(kSmallest, kLargest));
  for (std::uint32_t i = 0; i < count; ++i) {
    void* object = objects[i];
    if (i % 8 == 0) {
      std::atomic<void*>& place = exchange.left[member.random.below(exchange.count)];
      object = place.exchange(object, std::memory_order_acq_rel);
    }
    drop_if_any<Calls>(member, object);
  }
  member.count(count);
  return nullptr;
}

template <class Calls>
End run(Member& member) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  while (!member.stopped()) {
    pthread_t thread{};
    if (pthread_create(&thread, &attributes, live_shortly<Calls>, &member) != 0)
      fault("pthread_create failed");
    pthread_join(thread, nullptr);
  }
  pthread_attr_destroy(&attributes);
  return End::kStopped;
}

void set_up(Member* members, unsigned count) {
  auto* exchange = map_zeroed<Exchange>(1);
  exchange->count = count * kLeft;
  exchange->left = map_zeroed<std::atomic<void*>>(exchange->count);
  for (unsigned i = 0; i < count; ++i) members[i].state = exchange;
}

void tear_down(Member* members, unsigned /*count*/) {
  Exchange& exchange = exchange_of(members[0]);
  for (std::uint32_t i = 0; i < exchange.count; ++i)
    drop_if_any<Untimed>(members[0], exchange.left[i].load());
}

}  // namespace

const Workload kShortLived = {
    "short-lived", "an object allocated and freed", 1, false, set_up, run<Untimed>, run<Timed>,
    tear_down};

}  // namespace bench
