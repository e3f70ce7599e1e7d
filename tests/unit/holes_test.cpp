// Memory given back from slabs: the hand that goes round.
#include <sched.h>

#include <cstring>
#include <thread>

#include "hakmem/heap/holes.hpp"
#include "hakmem/os/memory.hpp"
#include "hakmem/os/system.hpp"
#include "hakmem/slab/pages.hpp"
#include "heap_support.hpp"
#include "support/pattern.hpp"

namespace hakmem {
namespace {

#ifdef __x86_64__  // emulators may ignore the advice to purge

constexpr unsigned kHoleyClass =
    39;  // slabs of several regions: there are holes at any size of a page
const Environment kSoon{{"HAKMEM_PURGE_DELAY", "20"}};

// Slabs of which one object in twenty lives, and at least one. All are filled with their address.
std::vector<void*> sparse_slabs(Heap* heap, unsigned c, unsigned slabs) {
  std::vector<void*> live;
  std::vector<void*> dead;
  take_slabs_to_longest(heap, c);  // in full use from here on
  for (void* p : take_slabs(heap, c, slabs)) {
    std::memset(p, static_cast<int>(address_of(p) >> 8 & 0xFF), kSizeClasses[c].size);
    (slab_index_checked(slab_at(p), p) % 20 == 5 ? live : dead).push_back(p);
  }
  give_back(heap, dead);
  return live;
}

void expect_untouched(const std::vector<void*>& live, unsigned c) {
  for (const void* p : live) {
    const auto wanted = static_cast<unsigned char>(address_of(p) >> 8);
    ASSERT_TRUE(pattern::all_are(p, kSizeClasses[c].size, wanted));
  }
}

// Ticks until `done`; who waits in vain is ended by the test's time limit.
template <typename Done>
void tick_until(Done done) {
  while (!done()) {
    memory_tick();
    sched_yield();
  }
}

TEST(Holes, SlabsThatRestGiveTheirFreePagesBack) {
  in_child(
      [] {
        Heap* heap = new_heap();
        const std::vector<void*> live = sparse_slabs(heap, kHoleyClass, 40);
        const std::uint32_t slabs = heap->bins[kHoleyClass].slabs;
        const std::size_t slab_bytes = kSizeClasses[kHoleyClass].regions * kRegionBytes;
        tick_until([&] { return bytes_given_back.load() >= 40 * slab_bytes / 8; });
        expect_untouched(live, kHoleyClass);
        // Once they are done, nothing is left to do.
        static_cast<void>(holes_punch_all());
        const std::uint64_t calls = os::memory_calls();
        EXPECT_EQ(holes_punch_all(), 0u);
        EXPECT_EQ(os::memory_calls(), calls);
        // What comes back later is found, too.
        const std::size_t before = bytes_given_back.load();
        give_back(heap, {live.begin(), live.begin() + static_cast<long>(live.size()) / 2});
        tick_until([&] {
          return bytes_given_back.load() > before || heap->bins[kHoleyClass].slabs < slabs;
        });
        expect_untouched({live.begin() + static_cast<long>(live.size()) / 2, live.end()},
                         kHoleyClass);
      },
      kSoon);
}

TEST(Holes, EmptySlabsThatRestAreGivenBack) {
  in_child(
      [] {
        Heap* heap = new_heap();
        for (const unsigned c : {0u, 19u, 39u}) give_back(heap, take_slabs(heap, c, 3));
        tick_until([] { return span_statistics().used == 0 && span_statistics().dirty == 0; });
        for (const Bin& bin : heap->bins) EXPECT_EQ(bin.slabs, 0u);
      },
      kSoon);
}

TEST(Holes, AllHeapsAreReached) {
  in_child(
      [] {
        Heap* sleeping = new_heap();
        Heap* parked = new_heap();
        std::vector<void*> live = sparse_slabs(sleeping, kHoleyClass, 3);
        const std::size_t one = bytes_given_back.load();
        for (void* p : sparse_slabs(parked, kHoleyClass, 3)) live.push_back(p);
        heap_park(parked);
        std::thread([&] {
          tick_until([&] {
            return slab_at(live.front())->slab.holes && slab_at(live.back())->slab.holes;
          });
        }).join();
        EXPECT_GT(bytes_given_back.load(), one);
        expect_untouched(live, kHoleyClass);
        // A parked heap's slab with holes is adopted as it is.
        Heap* other = heap_acquire();
        EXPECT_EQ(other, parked);
        heap_park(other);
        const std::vector<void*> adopted = refill(sleeping, kHoleyClass, 200);
        for (void* p : adopted) std::memset(p, 1, kSizeClasses[kHoleyClass].size);
        expect_untouched(live, kHoleyClass);
      },
      kSoon);
}

TEST(Holes, AtOnceOnDemandButNotWhereSomebodyIsInside) {
  in_child([] {
    Heap* heap = new_heap();
    const std::vector<void*> live = sparse_slabs(heap, kHoleyClass, 4);
    EXPECT_EQ(bytes_given_back.load(), 0u);
    heap->door.lock();
    EXPECT_EQ(holes_punch_all(), 0u);
    heap->door.unlock();
    const std::size_t gone = holes_punch_all();
    EXPECT_GT(gone, 4 * kSizeClasses[kHoleyClass].regions * kRegionBytes / 8);
    EXPECT_EQ(bytes_given_back.load(), gone);
    expect_untouched(live, kHoleyClass);
    // The next finds what came back meanwhile.
    give_back(heap, {live.begin(), live.begin() + static_cast<long>(live.size()) / 2});
    EXPECT_GT(holes_punch_all(), 0u);
    EXPECT_EQ(holes_punch_all(), 0u);
  });
}

// All that is free in a long slab are holes, and there is not enough for all of them.
TEST(Holes, AShortSlabIsHadWhereALongOnesPagesAreNot) {
  in_child(
      [] {
        Heap* heap = new_heap();
        const unsigned c = class_of_size(65536);
        const std::vector<void*> all = take_slabs_to_longest(heap, c);
        give_back(heap, {all.end() - kSizeClasses[c].capacity, all.end() - 1});
        EXPECT_EQ(holes_punch_all(), 7 * kRegionBytes);
        std::vector<Descriptor*> spans;
        while (Descriptor* span = span_allocate(1).head) spans.push_back(span);
        EXPECT_EQ(refill(heap, c, 1).size(), 0u);
        for (std::size_t i = 0; i < 3; ++i) span_free(spans[i]);
        EXPECT_GE(refill(heap, c, 9).size(), 2u);  // metadata may need one of them
      },
      {{"HAKMEM_LIMIT", "16M"}});
}

// "Never" as the largest number there is.
TEST(Holes, NotBeforeTheLongestDelay) {
  in_child(
      [] {
        Heap* heap = new_heap();
        const std::vector<void*> live = sparse_slabs(heap, kHoleyClass, 40);
        const std::uint64_t start = os::coarse_milliseconds();
        while (os::coarse_milliseconds() < start + 200) {
          memory_tick();
          note_returned();
          sched_yield();
        }
        EXPECT_LE(holes_round(), 1u);
        EXPECT_EQ(bytes_given_back.load(), 0u);
      },
      {{"HAKMEM_PURGE_DELAY", "18446744073709551615"}});
}

// Pages that were given back make room for others; then they cannot be had again.
TEST(Holes, TheLimitHoldsForPagesThatAreUsedAgain) {
  constexpr std::size_t kLimit = std::size_t{32} << 20;
  const auto within = [] {
    const SpanStatistics s = span_statistics();
    EXPECT_LE(s.used + s.dirty + s.metadata, kLimit + bytes_given_back.load());
  };
  in_child(
      [&] {
        Heap* heap = new_heap();
        for (const unsigned c : {2u, 19u, kHoleyClass}) {
          const SizeClass& k = kSizeClasses[c];
          if (k.regions * kRegionBytes < 4 * os::page_size()) continue;  // one object keeps it all
          const auto slabs = static_cast<unsigned>((kLimit * 3 / 4) / (k.regions * kRegionBytes));
          std::vector<void*> live;
          std::vector<void*> dead;
          for (void* p : take_slabs(heap, c, slabs)) {
            (slab_index_checked(slab_at(p), p) == 1 ? live : dead).push_back(p);
          }
          give_back(heap, dead);
          EXPECT_GT(holes_punch_all(), kLimit / 4);
          std::vector<Descriptor*> spans;
          while (Descriptor* span = span_allocate(8).head) spans.push_back(span);
          within();
          std::vector<void*> again;
          for (;;) {
            const std::vector<void*> some = refill(heap, c, 64);
            if (some.empty()) break;
            again.insert(again.end(), some.begin(), some.end());
            within();
          }
          EXPECT_LT(again.size() * k.size, kLimit / 4);
          // Nor is anything lost.
          for (Descriptor* span : spans) span_free(span);
          while (again.size() < dead.size()) {
            const std::vector<void*> some = refill(heap, c, 64);
            ASSERT_FALSE(some.empty());
            again.insert(again.end(), some.begin(), some.end());
            within();
          }
          give_back(heap, again);
          give_back(heap, live);
          heaps_trim_idle();
        }
      },
      {{"HAKMEM_LIMIT", "32M"}});
}

// Freed by others and not collected: those objects count as live.
TEST(Holes, RemoteFreesInFlightKeepTheirPages) {
  in_child([] {
    Heap* heap = new_heap();
    const std::vector<void*> objects = take_slabs(heap, kHoleyClass, 2);
    for (void* p : objects) std::memset(p, 1, kSizeClasses[kHoleyClass].size);
    heap->door.lock();
    free_remotely(objects);
    EXPECT_EQ(slab_give_back(slab_at(objects[0])), 0u);
    heap->door.unlock();
    help(heap, kHoleyClass);
    EXPECT_EQ(held(heap, kHoleyClass), 0u);
  });
}

#endif

}  // namespace
}  // namespace hakmem
