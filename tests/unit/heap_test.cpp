// Heaps: refill, return, park, the end of memory, misuse.
#include <sys/resource.h>

#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "hakmem/os/memory.hpp"
#include "heap_support.hpp"
#include "size_class_support.hpp"
#include "support/pattern.hpp"

namespace hakmem {
namespace {

TEST(HeapTest, RefillGivesAscendingObjectsOfTheClass) {
  in_child([] {
    Heap* heap = new_heap();
    for (unsigned c = 0; c < kClasses; ++c) {
      std::set<void*> all;
      for (const unsigned count : {1u, 8u, 16u, 100u, 1000u}) {
        const std::vector<void*> some = refill(heap, c, count);
        ASSERT_EQ(some.size(), count);
        for (std::size_t i = 0; i < some.size(); ++i) {
          ASSERT_TRUE(all.insert(some[i]).second);
          ASSERT_EQ(region_id_of(some[i]), tag_of_owner(heap->id) | slot_of_class(c));
          ASSERT_EQ(slab_index_checked(slab_at(some[i]), some[i]) < kSizeClasses[c].capacity, true);
          if (i > 0 && slab_at(some[i]) == slab_at(some[i - 1])) {
            ASSERT_LT(some[i - 1], some[i]);
          }
        }
      }
      EXPECT_EQ(held(heap, c), all.size());
      EXPECT_EQ(heap->bins[c].counters.refills, 0u);  // nothing was used before
      give_back(heap, {all.begin(), all.end()});
      EXPECT_EQ(held(heap, c), 0u);
      const std::vector<void*> again = refill_once(heap, c, 8);
      EXPECT_EQ(heap->bins[c].counters.refilled, again.size());
      EXPECT_TRUE(all.contains(again[0]));
      give_back(heap, again);
    }
  });
}

TEST(HeapTest, SlabsOfAClassDifferInColour) {
  in_child([] {
    Heap* heap = new_heap();
    for (unsigned c = 0; c < kClasses; ++c) {
      const SizeClass& k = kSizeClasses[c];
      std::set<std::uint32_t> starts;
      for (void* p : take_slabs(heap, c, 4)) {
        ASSERT_EQ(slab_at(p)->regions, slab_lengths(k).front());
        starts.insert(slab_at(p)->start);
      }
      EXPECT_EQ(starts.size(), std::min(4u, k.colours(slab_lengths(k).front()))) << k.size;
    }
  });
}

// Where long slabs start does not matter: each region says how far it lies behind the first.
TEST(HeapTest, SlabsGrowWithTheirClass) {
  in_child([] {
    Heap* heap = new_heap();
    for (unsigned c = 0; c < kClasses; ++c) {
      const SizeClass& k = kSizeClasses[c];
      SCOPED_TRACE(k.size);
      const std::vector<void*> all = take_slabs_to_longest(heap, c);
      std::uint32_t regions = 0;
      std::uint32_t longest = 0;
      for (std::size_t i = 0; i < all.size();) {
        const Descriptor* slab = slab_at(all[i]);
        ASSERT_GE(slab->regions, longest);
        // No more than is held already, and a quarter; and one for the colours of long objects.
        const unsigned most = std::max(regions / 4 + 1, k.is_long() ? k.regions_of(1) : 1);
        ASSERT_LE(slab->regions, most + (k.is_long() ? 1 : 0));
        longest = slab->regions;
        regions += longest;
        for (unsigned n = 0; n < k.capacity_of(longest); ++n, ++i) {
          ASSERT_EQ(slab_at(all[i]), slab);
          ASSERT_EQ(slab_index_checked(slab, all[i]), n);
          const char* end = static_cast<char*>(all[i]) + k.size;
          ASSERT_LE(end, memory_of(slab) + longest * kRegionBytes);
        }
      }
      EXPECT_EQ(longest, k.regions);
      EXPECT_EQ(heap->bins[c].regions, regions);
      EXPECT_EQ(heap->bins[c].objects, all.size());
      give_back(heap, all);
      EXPECT_EQ(heap->bins[c].objects,
                heap->bins[c].slabs * k.capacity_of(slab_lengths(k).front()));
    }
    heaps_trim_idle();
    for (const Bin& bin : heap->bins) EXPECT_EQ(bin.regions + bin.objects, 0u);
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

// Short ones are often empty, which costs page faults there.
TEST(HeapTest, SlabsAreLongWhereMemoryGoesBackAtOnce) {
  in_child(
      [] {
        Heap* heap = new_heap();
        for (unsigned c = 0; c < kClasses; ++c) {
          EXPECT_EQ(slab_at(refill_once(heap, c, 1)[0])->regions, kSizeClasses[c].regions);
        }
      },
      {{"HAKMEM_PURGE_DELAY", "0"}});
}

TEST(HeapTest, WhatWasUsedComesBeforeWhatNeverWas) {
  in_child([] {
    Heap* heap = new_heap();
    const BinCounters& n = heap->bins[9].counters;
    std::vector<void*> all = take_slabs(heap, 9, 3);
    for (void* p : refill_once(heap, 9, 20)) all.push_back(p);  // of a fourth slab
    const std::uint64_t carved = n.carved;
    give_back(heap, {all[1], all[2], all[900], all.back()});
    EXPECT_EQ(refill_once(heap, 9, 50).size(), 4u);
    EXPECT_EQ(n.carved, carved);
    EXPECT_EQ(refill_once(heap, 9, 50).size(), 50u);
    EXPECT_EQ(n.carved, carved + 50);
  });
}

// ---- which slab, and how many are kept ----------------------------------------------------------

// A slab's quarter of filling: 0 the fullest; empty slabs come last.
unsigned naive_level(const Descriptor* slab) {
  if (slab_is_empty(slab)) return 9;
  const unsigned quarter = std::max(1u, capacity_of(slab) / 4);
  return std::min(3u, (slab_available(slab) - 1) / quarter);
}

TEST(HeapTest, RefillTakesTheFullestFirst) {
  for (const unsigned c : {0u, 7u, 17u, 30u, 39u}) {
    in_child([c] {
      Heap* heap = new_heap();
      std::mt19937 random(c);
      std::vector<void*> live = take_slabs(heap, c, 12);
      std::set<Descriptor*> slabs;
      for (void* p : live) slabs.insert(slab_at(p));
      for (int round = 0; round < 40; ++round) {
        std::shuffle(live.begin(), live.end(), random);
        // Some slabs lose most of their objects, others few.
        const auto keep = [&](void* p) { return (region_of(slab_at(p)) * 37 + round) % 8; };
        for (std::size_t i = live.size(); i-- > 0;) {
          if (random() % 8 >= keep(live[i]) && random() % 2 == 0 && live.size() > 40) {
            give_back(heap, {live[i]});
            live[i] = live.back();
            live.pop_back();
          }
        }
        for (int i = 0; i < 30; ++i) {
          unsigned fullest = ~0u;
          std::map<Descriptor*, unsigned> levels;
          for (Descriptor* slab : slabs) {
            if (slab->owner.load() == 0 || slab_available(slab) == 0) continue;
            levels[slab] = naive_level(slab);
            fullest = std::min(fullest, levels[slab]);
          }
          const std::vector<void*> one = refill(heap, c, 1);
          ASSERT_EQ(one.size(), 1u);
          live.push_back(one[0]);
          Descriptor* slab = slab_at(one[0]);
          if (!levels.empty()) {
            ASSERT_EQ(levels[slab], fullest);
          }
          slabs.insert(slab);
        }
      }
      EXPECT_EQ(held(heap, c), live.size());
      give_back(heap, live);
      EXPECT_LE(heap->bins[c].slabs, config::empty_slabs());
      EXPECT_EQ(heap->bins[c].slabs, heap->bins[c].empty);
    });
  }
}

TEST(HeapTest, EmptySlabsAreBoundedByTheProfile) {
  for (const char* profile : {"speed", "balanced", "lean"}) {
    in_child(
        [] {
          Heap* heap = new_heap();
          for (const unsigned c : {0u, 9u, 19u, 39u, 48u}) {
            const std::vector<void*> all = take_slabs(heap, c, 9);
            const Bin& bin = heap->bins[c];
            EXPECT_EQ(bin.slabs, 9u);
            EXPECT_EQ(bin.empty, 0u);
            give_back(heap, all);
            EXPECT_EQ(bin.empty, config::empty_slabs());
            EXPECT_EQ(bin.slabs, config::empty_slabs());
          }
          heaps_trim_idle();
          for (const Bin& bin : heap->bins) EXPECT_EQ(bin.slabs, 0u);
          EXPECT_EQ(span_statistics().used, 0u);  // segments too
        },
        {{"HAKMEM_PROFILE", profile}});
  }
}

// Their pages serve other classes, and other heaps.
TEST(HeapTest, FewSlabsOfLargerObjectsAreNotKept) {
  in_child([] {
    Heap* heap = new_heap();
    for (unsigned c = 0; c < kClasses; ++c) {
      give_back(heap, take_slabs(heap, c, 7));
      EXPECT_EQ(heap->bins[c].slabs, kSizeClasses[c].size > 4096 ? 0u : config::empty_slabs());
    }
  });
}

TEST(HeapTest, SegmentsAreTakenAheadAndUsedUp) {
  in_child(
      [] {
        Heap* heap = new_heap();
        for (const unsigned c : {0u, 22u, 28u, 39u}) {
          const std::size_t before = span_statistics().used;
          std::vector<void*> all = take_slabs(heap, c, 1);
          EXPECT_EQ(span_statistics().used - before, 4 * kRegionBytes);
          for (void* p : take_slabs(heap, c, 3)) all.push_back(p);
          EXPECT_EQ(span_statistics().used - before, 4 * kRegionBytes);
          give_back(heap, all);
        }
        heaps_trim_idle();
        EXPECT_EQ(span_statistics().used, 0u);
      },
      {{"HAKMEM_SEGMENT_SLABS", "4"}});
}

// Where the system does it at all (Linux 5.14).
TEST(HeapTest, AClassThatGrowsGetsItsPagesAtOnce) {
  in_child(
      [] {
        Heap* heap = new_heap();
        std::vector<std::size_t> resident;
        for (int i = 0; i < 4; ++i) {
          const void* slab = memory_of(slab_at(take_slabs(heap, 16, 1).front()));
          resident.push_back(os::resident_bytes(slab, kRegionBytes));
        }
        char* page = static_cast<char*>(os::map(os::page_size()));
        os::advise(page, os::page_size(), os::Advice::populate);
        const std::size_t all = os::resident_bytes(page, os::page_size()) != 0 ? kRegionBytes : 0;
        EXPECT_EQ(resident, (std::vector<std::size_t>{0, 0, all, all}));
      },
      {{"HAKMEM_POPULATE_FROM", "2"}, {"HAKMEM_SEGMENT_SLABS", "1"}});
}

TEST(HeapTest, TheColourStepSaysHowFarApartSlabsStart) {
  for (const unsigned step : {0u, 5u}) {
    in_child(
        [step] {
          Heap* heap = new_heap();
          const SizeClass& k = kSizeClasses[16];
          for (unsigned i = 0; i < 3; ++i) {
            EXPECT_EQ(slab_at(take_slabs(heap, 16, 1).front())->start,
                      i * step % k.colours(1) * kCacheLine);
          }
        },
        {{"HAKMEM_COLOUR_STEP", std::to_string(step).c_str()}});
  }
}

// ---- parking, ids -------------------------------------------------------------------------------

TEST(Registry, IdsAreDenseAndFindTheirHeaps) {
  in_child([] {
    constexpr std::uint32_t kHeaps = 600;  // more than a leaf
    for (std::uint32_t id = 1; id <= kHeaps; ++id) {
      Heap* heap = new_heap();
      ASSERT_EQ(heap->id, id);
      ASSERT_EQ(heap_count(), id);
      ASSERT_FALSE(heap->parked);
    }
    std::set<Heap*> distinct;
    for (std::uint32_t id = 1; id <= kHeaps; ++id) {
      ASSERT_EQ(heap_by_id(id)->id, id);
      distinct.insert(heap_by_id(id));
    }
    EXPECT_EQ(distinct.size(), kHeaps);
  });
}

TEST(Registry, AParkedHeapKeepsItsObjectsAndIsTakenWhole) {
  in_child([] {
    Heap* heap = new_heap();
    const std::uint32_t id = heap->id;
    std::vector<std::vector<void*>> objects;
    for (unsigned c = 0; c < kClasses; ++c) {
      objects.push_back(refill(heap, c, 20));
      for (void* p : objects.back()) std::memset(p, static_cast<int>(c + 1), kSizeClasses[c].size);
    }
    heap_park(heap);
    EXPECT_TRUE(heap->parked);
    // Freed while nobody has the heap.
    for (unsigned c = 0; c < kClasses; c += 2) free_remotely(objects[c]);
    Heap* again = heap_acquire();
    ASSERT_EQ(again, heap);
    EXPECT_FALSE(again->parked);
    EXPECT_EQ(again->id, id);
    for (unsigned c = 1; c < kClasses; c += 2) {
      for (void* p : objects[c]) {
        ASSERT_TRUE(pattern::all_are(p, kSizeClasses[c].size, static_cast<int>(c + 1)));
      }
      give_back(again, objects[c]);
    }
    heaps_trim_idle();
    for (unsigned c = 0; c < kClasses; ++c) EXPECT_EQ(held(again, c), 0u);
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

TEST(Registry, ParkedHeapsAreUsedBeforeNewOnes) {
  in_child([] {
    Heap* a = new_heap();
    Heap* b = new_heap();
    heap_park(a);
    heap_park(b);
    EXPECT_EQ((std::set<Heap*>{heap_acquire(), heap_acquire()}), (std::set<Heap*>{a, b}));
    EXPECT_EQ(heap_count(), 2u);
    EXPECT_EQ(heap_acquire()->id, 3u);
  });
}

// ---- the end of memory --------------------------------------------------------------------------

#ifdef ADDRESS_SPACE_CAN_BE_LIMITED
TEST(HeapTest, LooksAtAllThatWaitsBeforeMemoryIsOut) {
  in_child(
      [] {
        // Without a limit each further arena would be as large as all before it.
        const rlimit limit{std::size_t{64} << 30, RLIM_INFINITY};
        ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
        Heap* heap = new_heap();
        std::vector<void*> waiting = take_slabs(heap, 19, 40);
        while (span_allocate(1).head != nullptr) {
        }
        // The spare slabs go first.
        std::vector<void*> more;
        while (true) {
          const std::vector<void*> some = refill(heap, 3, 500);
          more.insert(more.end(), some.begin(), some.end());
          if (some.size() < 500) break;
        }
        EXPECT_TRUE(refill(heap, 3, 1).empty());
        EXPECT_TRUE(refill(heap, 39, 1).empty());
        free_remotely(waiting);
        // One visit drains 8 slabs; the large slab needs neighbours that are found only by all.
        EXPECT_EQ(refill(heap, 39, 1).size(), 1u);
        EXPECT_EQ(refill(heap, 3, 100).size(), 100u);
      },
      {{"HAKMEM_ARENA_BYTES", "4M"}, {"HAKMEM_SEGMENT_SLABS", "1"}});
}

#endif

// ---- what ends the program ----------------------------------------------------------------------

TEST(HeapFault, MisuseIsNamed) {
  const auto with_objects = [](auto misuse) {
    return [misuse] {
      Heap* heap = new_heap();
      misuse(heap, refill(heap, 5, 10));
    };
  };
  using Objects = const std::vector<void*>&;
  expect_fatal("double free of 0x", with_objects([](Heap* heap, Objects o) {
                 give_back(heap, {o[1], o[2], o[1]});
               }));
  expect_fatal("double free of 0x", with_objects([](Heap*, Objects o) {
                 free_remotely({o[1], o[2], o[1]});
               }));
  expect_fatal("double free of 0x", with_objects([](Heap* heap, Objects o) {
                 give_back(heap, {o[3]});
                 free_remotely({o[3]});
                 heaps_trim_idle();
               }));
  // Twice in one batch, which empties the slab: at once, before anybody else can have its memory.
  expect_fatal("double free of 0x", with_objects([](Heap* heap, Objects o) {
                 std::vector<void*> all = o;
                 all.push_back(o[0]);
                 give_back(heap, all);
               }),
               {{"HAKMEM_EMPTY_SLABS", "0"}});
  expect_fatal(
      "invalid pointer, into the middle of an object: 0x",
      with_objects([](Heap* heap, Objects o) { give_back(heap, {static_cast<char*>(o[1]) + 8}); }));
  expect_fatal(
      "invalid pointer, into the middle of an object: 0x",
      with_objects([](Heap*, Objects o) { free_remotely({static_cast<char*>(o[1]) + 95}); }));
  expect_fatal("invalid pointer, into memory that is free: 0x",
               with_objects([](Heap* heap, Objects o) {
                 give_back(heap, o);
                 heaps_trim_idle();
                 give_back(heap, {o[0]});
               }));
  expect_fatal("invalid pointer, into memory that is free: 0x",
               with_objects([](Heap* heap, Objects o) {
                 give_back(heap, o);
                 heaps_trim_idle();
                 free_remotely({o[0]});
               }));
  expect_fatal("invalid pointer, never allocated: 0x", with_objects([](Heap* heap, Objects o) {
                 give_back(heap, {static_cast<char*>(o[9]) + 96});
               }));
  expect_fatal("invalid pointer, never allocated: 0x", [] {  // behind the last of a short slab
    const std::vector<void*> o = refill(new_heap(), class_of_size(10240), 6);
    slab_index_checked(slab_at(o[5]), static_cast<char*>(o[5]) + 10240);
  });
}

}  // namespace
}  // namespace hakmem
