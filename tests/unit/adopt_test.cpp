// What a heap gets from others before it takes new memory: slabs of parked heaps, and what waits
// in heaps whose owner sleeps.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <thread>

#include "hakmem/os/system.hpp"
#include "heap_support.hpp"

namespace hakmem {
namespace {

constexpr unsigned kClass = 8;

std::uint64_t held_by_all(unsigned c) {
  std::uint64_t sum = 0;
  for_each_heap([&](Heap* heap) { sum += held(heap, c); });
  return sum;
}

// A heap's slabs by fill: all objects but the first `left[i]` of slab i are freed again.
std::vector<std::vector<void*>> slabs_with(Heap* heap, const std::vector<unsigned>& left) {
  std::vector<std::vector<void*>> all;
  for (std::size_t i = 0; i < left.size(); ++i) all.push_back(take_slabs(heap, kClass, 1));
  for (std::size_t i = 0; i < left.size(); ++i) {
    give_back(heap, {all[i].begin() + left[i], all[i].end()});
    all[i].resize(left[i]);
  }
  return all;
}

// Everything that comes from one slab now without a new one.
std::vector<void*> refill_from_one(Heap* heap) {
  std::vector<void*> objects = refill(heap, kClass, 1);
  const unsigned more = slab_available(slab_at(objects[0]));
  const std::vector<void*> rest = refill(heap, kClass, more);
  objects.insert(objects.end(), rest.begin(), rest.end());
  return objects;
}

// Of each class an object, in a slab of its own.
std::vector<void*> one_of_each_class(Heap* heap) {
  std::vector<void*> objects;
  for (unsigned c = 0; c < kClasses; ++c) objects.push_back(refill(heap, c, 1)[0]);
  return objects;
}

TEST(Adopt, TakesTheFullestSlabOfAParkedHeap) {
  in_child([] {
    Heap* mine = new_heap();
    Heap* other = new_heap();
    const unsigned n = kSizeClasses[kClass].capacity;
    const auto left = slabs_with(other, {1, n - 3, n / 2, n - n / 8});
    heap_park(other);
    std::vector<Descriptor*> order;
    for (int i = 0; i < 4; ++i) {
      const std::vector<void*> objects = refill_from_one(mine);
      order.push_back(slab_at(objects[0]));
    }
    EXPECT_EQ(order[3], slab_at(left[0][0]));  // the emptiest last
    EXPECT_EQ(order[2], slab_at(left[2][0]));
    EXPECT_EQ(std::set(order.begin(), order.end()).size(), 4u);
    EXPECT_EQ(other->bins[kClass].slabs, 0u);
    EXPECT_EQ(mine->bins[kClass].slabs, 4u);
    EXPECT_EQ(mine->bins[kClass].counters.carved, 0u);
  });
}

TEST(Adopt, RewritesOwnerAndRegionIdsOfEverySlabLength) {
  in_child([] {
    Heap* mine = new_heap();
    Heap* other = new_heap();
    std::vector<void*> left;
    std::vector<void*> others;
    for (unsigned c = 0; c < kClasses; ++c) {
      const std::vector<void*> all = take_slabs_to_longest(other, c);
      left.push_back(all.back());
      const auto longest = all.end() - kSizeClasses[c].capacity;
      give_back(other, {longest, all.end() - 1});
      others.insert(others.end(), all.begin(), longest);
    }
    heap_park(other);
    for (unsigned c = 0; c < kClasses; ++c) {
      const std::vector<void*> objects = refill(mine, c, 1);
      Descriptor* slab = slab_at(left[c]);
      ASSERT_EQ(slab_at(objects[0]), slab) << kSizeClasses[c].size;
      EXPECT_EQ(slab->owner.load(), mine->id);
      for (unsigned region = 0; region < kSizeClasses[c].regions; ++region) {
        const RegionId id = region_id_anywhere(memory_of(slab) + region * kRegionBytes);
        EXPECT_EQ(owner_of(id), mine->id);
        EXPECT_EQ(slot_of(id), slot_of_class(c));
      }
      // What the ended thread left is freed by the adopter as its own.
      give_back(mine, {left[c], objects[0]});
      EXPECT_EQ(mine->bins[c].counters.flushed, 2u);
      EXPECT_EQ(mine->bins[c].counters.collected, 0u);
    }
    free_remotely(others);
    heaps_trim_idle();
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

TEST(Adopt, CountersAddUpOverAllHeaps) {
  in_child([] {
    Heap* mine = new_heap();
    Heap* other = new_heap();
    const auto left = slabs_with(other, {1, 5, 9});
    heap_park(other);
    EXPECT_EQ(held_by_all(kClass), 15u);
    const std::vector<void*> objects = refill_from_one(mine);
    EXPECT_EQ(held_by_all(kClass), 15u + objects.size());
    give_back(mine, objects);
    for (const auto& some : left) free_remotely(some);
    heaps_trim_idle();
    EXPECT_EQ(held_by_all(kClass), 0u);
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

// The freer read the old owner before its OR: the slab lies on the old heap's list when it is
// adopted.
TEST(Adopt, RemoteFreesInFlightAreNotLost) {
  in_child([] {
    Heap* mine = new_heap();
    Heap* other = new_heap();
    const std::vector<void*> left = slabs_with(other, {20})[0];
    heap_park(other);
    free_remotely({left.begin(), left.begin() + 5});  // before: collected on the way
    const std::vector<void*> objects = refill(mine, kClass, 1);
    ASSERT_EQ(slab_at(objects[0]), slab_at(left[0]));
    EXPECT_EQ(held_by_all(kClass), 16u);
    // After: the late push reaches a heap that has no slab any more.
    Descriptor* slab = slab_at(left[0]);
    push_late(other, slab, 1);
    free_remotely({left.begin() + 5, left.end()});  // adds to a summary that is not 0
    help(other, kClass);
    help(mine, kClass);
    EXPECT_EQ(held_by_all(kClass), 1u);
    EXPECT_EQ(slab->summary.load(), 0u);
  });
}

TEST(Adopt, LeavesTheHeapsOfThreadsAlone) {
  in_child([] {
    Heap* mine = new_heap();
    Heap* other = new_heap();
    const auto left = slabs_with(other, {3});
    for (int i = 0; i < 20; ++i) {
      ASSERT_NE(slab_at(take_slabs(mine, kClass, 1)[0])->owner.load(), other->id);
    }
    EXPECT_EQ(slab_at(left[0][0])->owner.load(), other->id);
    EXPECT_EQ(other->bins[kClass].slabs, 1u);
  });
}

// A heap whose cache waits for the next thread: what the cache holds lies beside what is adopted.
TEST(Adopt, SharesNoCacheLineWithACacheThatWaits) {
  in_child([] {
    Heap* mine = new_heap();
    Heap* other = new_heap();
    const std::vector<void*> left = one_of_each_class(other);
    heap_park(other, other);  // in place of a cache: nobody looks into it
    for (unsigned c = 0; c < kClasses; ++c) {
      if (slab_available(slab_at(left[c])) == 0) continue;  // its one object is in use
      const bool adopted = slab_at(refill(mine, c, 1)[0]) == slab_at(left[c]);
      EXPECT_EQ(adopted, kSizeClasses[c].size % kCacheLine == 0) << kSizeClasses[c].size;
    }
    other->kept.store(nullptr);
  });
}

TEST(Adopt, WaitsForNoDoor) {
  in_child([] {
    Heap* mine = new_heap();
    Heap* other = new_heap();
    const auto left = slabs_with(other, {3});
    heap_park(other);
    other->door.lock();
    EXPECT_NE(slab_at(refill(mine, kClass, 1)[0]), slab_at(left[0][0]));
    other->door.unlock();
  });
}

// Nobody would find a segment's rest there.
TEST(Adopt, AParkedHeapHasNoSegments) {
  in_child(
      [] {
        Heap* heap = new_heap();
        ASSERT_FALSE(refill(heap, kClass, 1).empty());
        const auto has_segment = [heap] {
          return std::any_of(std::begin(heap->segments), std::end(heap->segments),
                             [](const Descriptor* segment) { return segment != nullptr; });
        };
        EXPECT_TRUE(has_segment());
        heap_park(heap);
        EXPECT_FALSE(has_segment());
      },
      {{"HAKMEM_SEGMENT_SLABS", "4"}});
}

// ---- help ---------------------------------------------------------------------------------------

TEST(Help, CollectsUnlessSomebodyIsInside) {
  in_child([] {
    Heap* heap = new_heap();
    constexpr unsigned kSlabs = kDrainHelping + 100;
    const auto objects = take_slabs(heap, kClass, kSlabs);
    heap->door.lock();
    free_remotely(objects);  // on a slow machine the owner looks idle, and freers help
    help(heap, kClass);
    EXPECT_EQ(heap->bins[kClass].counters.collects, 0u);
    heap->door.unlock();
    help(heap, kClass);
    EXPECT_EQ(heap->bins[kClass].counters.collects, kDrainHelping);  // its owner does the rest
    help(heap, kClass);
    EXPECT_EQ(held(heap, kClass), 0u);
    EXPECT_EQ(heap->bins[kClass].counters.collects, kSlabs);
    EXPECT_LE(heap->bins[kClass].slabs, config::empty_slabs());
  });
}

TEST(Help, NobodyIsThereToBeHelped) {
  in_child([] {
    EXPECT_FALSE(help_another());  // the first thread, before it could have a heap
    static_cast<void>(new_heap());
    EXPECT_FALSE(help_another());
  });
}

// The owner visits between every two looks: nobody does its work.
TEST(Help, AnOwnerAtWorkIsLeftAlone) {
  in_child([] {
    Heap* heap = new_heap();
    std::vector<void*> objects = take_slabs(heap, kClass, 200);
    for (void* p : objects) {
      heap->visits.fetch_add(1);
      heap->visited_at = static_cast<std::uint32_t>(os::coarse_milliseconds());
      free_remotely({p});
    }
    EXPECT_EQ(heap->bins[kClass].counters.collects, 0u);
    EXPECT_TRUE(is_pending(heap));
  });
}

TEST(Help, FreersCollectForAnOwnerThatSleeps) {
  in_child([] {
    Heap* heap = new_heap();
    const unsigned n = kSizeClasses[kClass].capacity;
    const std::vector<void*> objects = take_slabs(heap, kClass, 400);
    for (std::size_t slab = 0; slab < 400; ++slab) {
      if (slab == 100) usleep(100000);  // longer than an owner at work stays away
      const auto first = objects.begin() + static_cast<std::ptrdiff_t>(slab * n);
      free_remotely({first, first + n});
    }
    EXPECT_GE(heap->bins[kClass].counters.collects, 300u);
  });
}

TEST(Help, AShortHeapCollectsForOwnersThatSleep) {
  in_child([] {
    Heap* sleeper = new_heap();
    Heap* mine = new_heap();
    constexpr unsigned kSlabs = 300;
    const std::vector<void*> objects = take_slabs(sleeper, kClass, kSlabs);
    const std::size_t full = span_statistics().used;
    free_remotely(objects);
    usleep(100000);
    static_cast<void>(take_slabs(mine, kClass, kSlabs));
    EXPECT_LE(span_statistics().used, full + kSlabs / 10 * kRegionBytes);
    EXPECT_EQ(held(sleeper, kClass), 0u);
  });
}

// ---- parcels ------------------------------------------------------------------------------------

// The same descriptor, the same word, another class, whose bitmap stands elsewhere: what the outbox
// remembers of the first must not be used for the second.
TEST(Parcels, OfASlabThatWasCarvedAnewAsAnotherClass) {
  in_child(
      [] {
        Heap* heap = new_heap();
        constexpr unsigned kOutside = 0;  // its bitmap stands outside the descriptor
        constexpr unsigned kInline = 19;
        static_assert(kSizeClasses[kOutside].words > kInlineWords);
        static_assert(kSizeClasses[kInline].words <= kInlineWords);
        static_assert(kSizeClasses[kOutside].regions == kSizeClasses[kInline].regions);
        for (const auto& [first, second] :
             {std::pair{kOutside, kInline}, std::pair{kInline, kOutside}}) {
          Outbox outbox{};
          void* p = refill(heap, first, 1)[0];
          const Descriptor* descriptor = slab_at(p);
          add_to(outbox, p);
          outbox_flush(outbox);
          heaps_trim_idle();
          EXPECT_EQ(held(heap, first), 0u);
          ASSERT_EQ(descriptor->owner.load(), 0u);
          void* q = refill(heap, second, 1)[0];
          ASSERT_EQ(slab_at(q), descriptor);
          add_to(outbox, q);
          outbox_flush(outbox);
          heaps_trim_idle();
          EXPECT_EQ(held(heap, second), 0u);
          EXPECT_EQ(span_statistics().used, 0u);
        }
      },
      {{"HAKMEM_EMPTY_SLABS", "0"}});
}

// The same where the parcel was sent off because another was in its way, or the outbox was full.
TEST(Parcels, ThatWereSentOffEarlyLeaveNothingBehind) {
  in_child(
      [] {
        Heap* heap = new_heap();
        Outbox outbox{};
        std::mt19937 random(3);
        for (int round = 0; round < 300; ++round) {
          const unsigned c = random() % 2 == 0 ? random() % 4 : 16 + random() % 4;
          std::vector<void*> objects = refill(heap, c, 1 + random() % 300);
          std::shuffle(objects.begin(), objects.end(), random);
          for (void* p : objects) add_to(outbox, p);
          if (random() % 2 == 0) outbox_flush(outbox);
          if (random() % 4 == 0) heaps_trim_idle();
        }
        outbox_flush(outbox);
        heaps_trim_idle();
        EXPECT_EQ(span_statistics().used, 0u);
        for (unsigned c = 0; c < kClasses; ++c) EXPECT_EQ(held(heap, c), 0u);
      },
      {{"HAKMEM_EMPTY_SLABS", "0"}});
}

}  // namespace
}  // namespace hakmem
