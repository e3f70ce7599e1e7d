// Mixed (see mixed.h) in every thread, each with a table of its own: nothing is shared but the
// allocator. Like Mixed it writes the first byte alone and carries no tags, so that the null
// allocator can run it.
#include "pages.h"
#include "workload.h"

namespace bench {
namespace {

constexpr std::uint32_t kWorkingSet = 400;
constexpr std::uint32_t kSizeMask = 1023;

struct Table {
  void* slots[kWorkingSet];
};

Table& table_of(Member& member) { return *static_cast<Table*>(member.state); }

template <class Calls>
End run(Member& member) {
  Table& table = table_of(member);
  while (!member.stopped()) {
    const std::uint32_t r = member.random.next();
    void*& slot = table.slots[r % kWorkingSet];
    if (slot != nullptr) {
      Calls::release(member, slot);
      slot = nullptr;
    } else {
      slot = Calls::allocate(member, 16 + (r & kSizeMask));
      if (slot == nullptr) fault("malloc failed");
      *static_cast<volatile unsigned char*>(slot) = static_cast<unsigned char>(r);
    }
    member.count();
  }
  return End::kStopped;
}

void set_up(Member* members, unsigned count) {
  auto* tables = map_zeroed<Table>(count);
  for (unsigned i = 0; i < count; ++i) members[i].state = &tables[i];
}

void tear_down(Member* members, unsigned count) {
  for (unsigned i = 0; i < count; ++i)
    for (void* object : table_of(members[i]).slots) std::free(object);
}

}  // namespace

const Workload kMixed = {
    "mixed", "an object allocated or freed", 1, false, set_up, run<Untimed>, run<Timed>, tear_down};

}  // namespace bench
