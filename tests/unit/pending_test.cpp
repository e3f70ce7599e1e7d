// The pending lists of a heap: what a visit works off, and of which class.
#include <set>

#include "heap_support.hpp"

namespace hakmem {
namespace {

// A heap with `slabs` slabs of a class, all freed by others, and room for other classes' objects: a
// visit that needs a new slab would drain more.
struct Flooded {
  Heap* heap = new_heap();
  std::vector<void*> objects;
  const BinCounters& counters;

  Flooded(unsigned c, unsigned slabs, std::initializer_list<unsigned> others)
      : counters(heap->bins[c].counters) {
    for (const unsigned other : others) EXPECT_EQ(refill(heap, other, 1).size(), 1u);
    objects = take_slabs(heap, c, slabs);
    const os::Locked inside(heap->door);  // nobody helps
    free_remotely(objects);
  }
};

constexpr unsigned kFlooded = 19;

TEST(Pending, AVisitDrainsABoundedNumberOfSlabs) {
  in_child([] {
    constexpr unsigned kSlabs = 50;
    const Flooded flooded(kFlooded, kSlabs, {3});
    unsigned drains = 0;
    for (unsigned visits = 0; flooded.counters.collects < kSlabs; ++visits) {
      const std::uint64_t before = flooded.counters.collects;
      ASSERT_EQ(refill(flooded.heap, 3, 1).size(), 1u);  // any class's visit will do
      ASSERT_LE(flooded.counters.collects, before + kDrainInTurn);
      drains += flooded.counters.collects != before ? 1 : 0;
      // Every eighth visit, once the list's turn has come.
      ASSERT_LE(visits, 8 * (kClasses / kListsInTurn + kSlabs / kDrainInTurn + 4));
    }
    EXPECT_GE(drains, kSlabs / kDrainInTurn);
    EXPECT_EQ(flooded.counters.collected, flooded.objects.size());
  });
}

// What is freed all the time elsewhere does not keep another class's list from its turn.
TEST(Pending, ATurnEnds) {
  in_child([] {
    constexpr unsigned kSlabs = 50;
    constexpr unsigned kOther = kFlooded + 1;
    Heap* heap = new_heap();
    ASSERT_EQ(refill(heap, 3, 1).size(), 1u);
    std::set<Descriptor*> slabs;
    for (const void* p : take_slabs(heap, kFlooded, kSlabs)) slabs.insert(slab_at(p));
    ASSERT_EQ(slabs.size(), kSlabs);
    const std::vector<void*> objects = take_slabs(heap, kOther, 1);
    const os::Locked inside(heap->door);
    const auto flood = [&] {
      for (Descriptor* slab : slabs) {
        if (slab->summary.load() == 0) push_late(heap, slab, 1);
      }
    };
    flood();
    free_remotely(objects);
    heap->next_list = kFlooded;
    heap->served = 0;
    for (unsigned looks = 0; held(heap, kOther) != 0; ++looks) {
      ASSERT_LE(looks, kSlabs / kDrainInTurn + 1);
      heap_drain_forgotten(heap);
      flood();  // whatever was worked off is there again
    }
  });
}

// Where an object nearly fills a slab, those of other classes are left to them while they are few.
TEST(Pending, FewSlabsOfLargeObjectsWaitForTheirOwnClass) {
  for (const unsigned slabs : {31u, 32u}) {
    in_child([slabs] {
      const unsigned c = class_of_size(40'000);
      const Flooded flooded(c, slabs, {});
      ASSERT_EQ(refill(flooded.heap, c + 1, 1).size(), 1u);
      EXPECT_EQ(flooded.counters.collects, slabs < 32 ? 0 : kDrainBeforeGrowth);
      if (slabs == 32) return;  // half of them are empty, and gone
      const std::uint64_t carved = flooded.counters.carved;
      for (unsigned i = 0; i < slabs; ++i) ASSERT_EQ(refill(flooded.heap, c, 1).size(), 1u);
      EXPECT_EQ(flooded.counters.carved, carved);
    });
  }
}

// Who needs objects of a class collects its list, and no other's.
TEST(Pending, ARefillCollectsTheListOfItsClass) {
  in_child([] {
    constexpr unsigned kSlabs = 10;
    constexpr unsigned kWanted = kFlooded + 1;
    const Flooded flooded(kFlooded, kSlabs, {});
    Heap* heap = flooded.heap;
    const std::vector<void*> objects = take_slabs(heap, kWanted, kSlabs);
    const std::uint64_t others = flooded.counters.collects;
    {
      const os::Locked inside(heap->door);
      free_remotely(objects);
    }
    const BinCounters& wanted = heap->bins[kWanted].counters;
    const std::uint64_t carved = wanted.carved;
    for (unsigned i = 1; i <= 5; ++i) {
      // One slab at a time: the first has enough.
      ASSERT_FALSE(take_slabs(heap, kWanted, 1).empty());
      EXPECT_EQ(wanted.collects, i);
    }
    EXPECT_EQ(flooded.counters.collects, others);
    EXPECT_EQ(wanted.carved, carved);
  });
}

// A class that needs what is on its list, again and again, finds it there: it gathers until then.
TEST(Pending, AClassInDemandIsPassedOver) {
  in_child([] {
    const Flooded flooded(kFlooded, 20, {3});
    Heap* heap = flooded.heap;
    heap->next_list = kFlooded;
    ASSERT_FALSE(take_slabs(heap, kFlooded, 1).empty());
    const std::uint64_t before = flooded.counters.collects;
    // Until its next turn.
    for (unsigned visit = 0; visit < 8 * (kClasses / kListsInTurn - 1); ++visit) {
      ASSERT_EQ(refill(heap, 3, 1).size(), 1u);
    }
    EXPECT_EQ(flooded.counters.collects, before);
    for (unsigned visit = 0; visit < 24; ++visit) ASSERT_EQ(refill(heap, 3, 1).size(), 1u);
    EXPECT_GT(flooded.counters.collects, before);
  });
}

// Not if its demand never comes to the end of the list: what lies behind would be kept for ever.
TEST(Pending, AClassInDemandIsWorkedOffWhereMuchWaits) {
  in_child([] {
    constexpr unsigned kSlabs = 500;
    const Flooded flooded(kFlooded, kSlabs, {3});
    Heap* heap = flooded.heap;
    for (unsigned round = 0; round < 4 * kSlabs; ++round) {
      for (int visit = 0; visit < 3; ++visit) ASSERT_EQ(refill(heap, 3, 1).size(), 1u);
      const std::vector<void*> some = take_slabs(heap, kFlooded, 1);
      const os::Locked inside(heap->door);  // nobody helps
      free_remotely(some);
    }
    // What is needed from one turn to the next may stay.
    EXPECT_LE(heap->bins[kFlooded].slabs, 2 * kClasses / kListsInTurn * 8 / 4);
  });
}

TEST(Pending, WhatWaitsIsCounted) {
  in_child([] {
    Flooded flooded(kFlooded, 10, {});
    EXPECT_EQ(waiting_slabs(flooded.heap), 10u);
    {
      const os::Locked inside(flooded.heap->door);
      EXPECT_EQ(heap_drain(flooded.heap, kFlooded - 1, kDrainAll), 0u);
      EXPECT_EQ(heap_drain(flooded.heap, kFlooded, 4), 4u);
      EXPECT_EQ(waiting_slabs(flooded.heap), 6u);
      EXPECT_FALSE(is_pending(flooded.heap));  // they were taken
      EXPECT_EQ(heap_drain_any(flooded.heap, 5), 5u);
      EXPECT_EQ(heap_drain_any(flooded.heap, 5), 1u);
    }
    EXPECT_EQ(waiting_slabs(flooded.heap), 0u);
  });
}

}  // namespace
}  // namespace hakmem
