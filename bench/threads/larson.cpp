// Larson and Krishnan's server: each thread owns a table of objects of random size and replaces
// random ones. After some rounds it hands the table to a fresh thread and ends, as a server's
// threads do with their connections, so that most objects are freed by another thread than the one
// that allocated them. The first objects of all tables come from the main thread.
#include "pages.h"
#include "workload.h"

namespace bench {
namespace {

constexpr std::uint32_t kObjects = 1000;
constexpr std::uint32_t kSmallest = 8;
constexpr std::uint32_t kLargest = 1000;
constexpr std::uint32_t kReplacedByOneThread = 50 * kObjects;

struct Table {
  void* objects[kObjects];
  std::uint32_t left;  // replacements until the hand-over
};

Table* tables_of(Member& member) { return static_cast<Table*>(member.state); }

template <class Calls>
End run(Member& member) {
  Table& table = *tables_of(member);
  for (; table.left != 0; --table.left) {
    if (member.stopped()) return End::kStopped;
    void*& object = table.objects[member.random.below(kObjects)];
    drop_object<Calls>(member, object);
    object = make_object<Calls>(member, member.random.between(kSmallest, kLargest));
    member.count();
  }
  table.left = kReplacedByOneThread;
  return End::kReplaceMe;
}

void set_up(Member* members, unsigned count) {
  auto* tables = map_zeroed<Table>(count);
  for (unsigned i = 0; i < count; ++i) {
    Member& member = members[i];
    member.state = &tables[i];
    // Not all hand over at once.
    tables[i].left = 1 + member.random.below(kReplacedByOneThread);
    for (void*& object : tables[i].objects)
      object = make_object<Untimed>(member, member.random.between(kSmallest, kLargest));
  }
}

void tear_down(Member* members, unsigned count) {
  for (unsigned i = 0; i < count; ++i)
    for (void* object : tables_of(members[i])->objects) drop_object<Untimed>(members[i], object);
}

}  // namespace

const Workload kLarson = {"larson", "an object replaced", 1,          false,
                          set_up,   run<Untimed>,         run<Timed>, tear_down};

}  // namespace bench
