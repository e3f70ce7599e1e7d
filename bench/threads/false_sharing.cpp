// Hoard's cache-thrash and cache-scratch: small objects that are written many times between malloc
// and free. Where an allocator puts the objects of two threads into one cache line, each write
// takes the line from the other CPU.
//
// cache-thrash asks for that directly: every thread allocates, writes and frees. In cache-scratch
// one thread allocates objects side by side and gives one to each thread, which frees it: an
// allocator that hands such an object out again to the thread that freed it spreads the line.
#include "pages.h"
#include "workload.h"

namespace bench {
namespace {

constexpr std::uint32_t kLargestWords = 8;  // 8 to 64 B
constexpr std::uint32_t kWrites = 200;
constexpr std::uint32_t kGiftEvery = 1000;  // operations of the giving thread

struct Friend {
  alignas(kCacheLine) std::atomic<void*> gift;
};

struct Circle {
  Friend* friends;
  std::uint32_t count;
  std::uint32_t until_gift;
};

Circle& circle_of(Member& member) { return *static_cast<Circle*>(member.state); }

template <class Calls>
void write_much(Member& member) {
  const std::uint32_t words = member.random.between(1, kLargestWords);
  void* object = make_object<Calls>(member, words * sizeof(std::uint64_t));
  auto* word = static_cast<volatile std::uint64_t*>(object);
  std::uint32_t at = 0;
  for (std::uint32_t i = kWrites; i != 0; --i) {
    word[at] = i;
    at = at + 1 == words ? 0 : at + 1;
  }
  *word = tag_of(word);
  drop_object<Calls>(member, object);
  member.count();
}

template <class Calls>
void give(Member& member, Circle& circle) {
  const std::uint32_t size = 8 * member.random.between(1, kLargestWords);
  for (std::uint32_t i = 0; i < circle.count; ++i) {
    void* object = make_object<Calls>(member, size);
    drop_if_any<Calls>(member, circle.friends[i].gift.exchange(object, std::memory_order_acq_rel));
  }
}

template <class Calls>
End scratch(Member& member) {
  Circle& circle = circle_of(member);
  std::atomic<void*>& mine = circle.friends[member.number].gift;
  while (!member.stopped()) {
    if (member.number == 0 && circle.until_gift-- == 0) {
      circle.until_gift = kGiftEvery;
      give<Calls>(member, circle);
    }
    if (mine.load(std::memory_order_relaxed) != nullptr)
      drop_if_any<Calls>(member, mine.exchange(nullptr, std::memory_order_acq_rel));
    write_much<Calls>(member);
  }
  return End::kStopped;
}

template <class Calls>
End thrash(Member& member) {
  while (!member.stopped()) write_much<Calls>(member);
  return End::kStopped;
}

void set_up_circle(Member* members, unsigned count) {
  auto* circle = map_zeroed<Circle>(1);
  circle->count = count;
  circle->friends = map_zeroed<Friend>(count);
  for (unsigned i = 0; i < count; ++i) members[i].state = circle;
  give<Untimed>(members[0], *circle);
}

void tear_down_circle(Member* members, unsigned count) {
  Circle& circle = circle_of(members[0]);
  for (unsigned i = 0; i < count; ++i)
    drop_if_any<Untimed>(members[i], circle.friends[i].gift.load());
}

void nothing(Member* /*members*/, unsigned /*count*/) {}

constexpr const char* kOperation = "an object allocated, written 200 times and freed";

}  // namespace

const Workload kCacheScratch = {"cache-scratch", kOperation,      1,
                                false,           set_up_circle,   scratch<Untimed>,
                                scratch<Timed>,  tear_down_circle};
const Workload kCacheThrash = {"cache-thrash",  kOperation,    1,      false, nothing,
                               thrash<Untimed>, thrash<Timed>, nothing};

}  // namespace bench
