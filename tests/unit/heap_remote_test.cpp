// Heaps: what other threads free, collected and forwarded.
#include <sys/resource.h>

#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "heap_support.hpp"

namespace hakmem {
namespace {

TEST(HeapRemote, ObjectsComeHome) {
  in_child([] {
    Heap* heap = new_heap();
    std::mt19937 random(5);
    for (unsigned c = 0; c < kClasses; ++c) {
      std::vector<void*> all = take_slabs(heap, c, 3);
      std::shuffle(all.begin(), all.end(), random);
      {
        const os::Locked inside(heap->door);  // nobody helps
        free_remotely(all);
      }
      EXPECT_EQ(held(heap, c), all.size());
      heaps_trim_idle();
      EXPECT_EQ(held(heap, c), 0u);
      EXPECT_EQ(heap->bins[c].counters.collected, all.size());
      EXPECT_EQ(heap->bins[c].counters.collects, 3u);  // once a slab
    }
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

// What the outbox holds back is bounded by charge, whatever the sizes.
TEST(HeapRemote, OutboxIsFlushedWhenFull) {
  for (const unsigned c : {0u, 4u, 39u}) {
    in_child([c] {
      Heap* heap = new_heap();
      const std::size_t charge = kSizeClasses[c].size + Outbox::kObjectCharge;
      // One word of the bitmap: no parcel is in the way of another.
      const auto one_word =
          static_cast<unsigned>(std::min<std::size_t>(64, kSizeClasses[c].capacity));
      const std::size_t most = std::min<std::size_t>(one_word, Outbox::kMostCharge / charge + 1);
      const std::vector<void*> all = take_slabs_to_longest(heap, c);
      Outbox outbox{};
      for (std::size_t i = 0; i < most; ++i) {
        EXPECT_EQ(outbox.charge, i * charge);
        EXPECT_FALSE(is_pending(heap));
        add_to(outbox, all[all.size() - most + i]);
      }
      const bool full = most * charge >= Outbox::kMostCharge;
      EXPECT_EQ(outbox.charge == 0, full);
      outbox_flush(outbox);
      outbox_flush(outbox);
      EXPECT_EQ(outbox.charge, 0u);
      EXPECT_TRUE(is_pending(heap));
      heaps_trim_idle();
      EXPECT_EQ(held(heap, c), all.size() - most);
    });
  }
}

// A few of them would fill it.
TEST(HeapRemote, LargerObjectsAreSentAtOnce) {
  in_child([] {
    const unsigned c = class_of_size(40000);
    Heap* heap = new_heap();
    void* small = refill(heap, 4, 1)[0];
    void* p = refill(heap, c, 1)[0];
    Outbox outbox{};
    add_to(outbox, small);
    const std::size_t charge = outbox.charge;
    add_to(outbox, p);
    EXPECT_EQ(outbox.charge, charge);
    ASSERT_TRUE(is_pending(heap));
    heaps_trim_idle();
    EXPECT_EQ(held(heap, c), 0u);
    EXPECT_EQ(heap->bins[c].counters.collected, 1u);
    outbox_flush(outbox);
    heaps_trim_idle();
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

// More words than the outbox has room for: parcels make way for each other, and none is lost.
TEST(HeapRemote, ParcelsMakeWay) {
  in_child([] {
    Heap* heap = new_heap();
    const std::vector<void*> all = take_slabs(heap, 0, 3);
    Outbox outbox{};
    for (std::size_t start = 0; start < 64; ++start) {
      for (std::size_t i = start; i < all.size(); i += 64) {
        add_to(outbox, all[i]);
        ASSERT_LT(outbox.charge, Outbox::kMostCharge);
      }
    }
    outbox_flush(outbox);
    EXPECT_EQ(outbox.charge, 0u);
    heaps_trim_idle();
    EXPECT_EQ(held(heap, 0), 0u);
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

// A thread that only frees others' objects is told to look at the clock now and then, in whatever
// order they come.
TEST(HeapRemote, FreeingOthersObjectsIsTime) {
  in_child([] {
    Heap* heap = new_heap();
    std::vector<void*> all = take_slabs(heap, 3, 40);
    std::shuffle(all.begin(), all.end(), std::mt19937(7));
    Outbox outbox{};
    unsigned times = 0;
    for (void* p : all) times += outbox_add(outbox, p, region_id_anywhere(p)) ? 1 : 0;
    EXPECT_GE(times, all.size() / 2000);
    EXPECT_LE(times, all.size() / 100);
    outbox_flush(outbox);
  });
}

TEST(HeapRemote, FreedTwiceIntoOneParcelIsCaught) {
  in_child([] {
    Heap* heap = new_heap();
    void* p = refill(heap, 4, 1)[0];
    Outbox outbox{};
    add_to(outbox, p);
    EXPECT_DEATH(add_to(outbox, p), "double free of 0x[0-9a-f]+ \\(80-byte object\\)");
  });
}

// While the object is on its way home its owner frees it too, and gives the whole slab up.
TEST(HeapRemote, FreedTwiceAndTheSlabIsGoneIsCaught) {
  in_child([] {
    Heap* heap = new_heap();
    const std::vector<void*> objects = refill(heap, 4, 3);
    Outbox outbox{};
    const Descriptor* slab = slab_at(objects[1]);
    add_to(outbox, objects[1]);
    give_back(heap, objects);
    heaps_trim_idle();
    ASSERT_EQ(slab->owner.load(), 0u);
    std::ostringstream message;
    message << "double free of " << objects[1] << " \\(80-byte object\\)";
    EXPECT_DEATH(outbox_flush(outbox), message.str());
  });
}

TEST(HeapRemote, ReturnSendsOthersObjectsHome) {
  in_child([] {
    Heap* mine = new_heap();
    Heap* other = new_heap();
    const std::vector<void*> objects = refill(other, 2, 10);
    give_back(mine, objects);
    EXPECT_EQ(mine->bins[2].counters.flushed, 0u);
    heaps_trim_idle();
    EXPECT_EQ(held(other, 2), 0u);
  });
}

void drain(Heap* heap) {
  const os::Locked inside(heap->door);
  heap_drain_any(heap, kDrainAll);
}

TEST(HeapRemote, ALatePushOfADeadSlabIsDropped) {
  in_child([] {
    Heap* heap = new_heap();
    const std::vector<void*> objects = refill(heap, 2, 10);
    Descriptor* slab = slab_at(objects[0]);
    give_back(heap, objects);
    heaps_trim_idle();
    ASSERT_EQ(slab->owner.load(), 0u);
    push_late(heap, slab, 5);
    drain(heap);
    EXPECT_EQ(slab->summary.load(), 0u);
    EXPECT_FALSE(is_pending(heap));
    EXPECT_EQ(heap->bins[2].counters.collects, 0u);
  });
}

TEST(HeapRemote, ALatePushOfAnothersSlabIsForwarded) {
  in_child([] {
    Heap* old = new_heap();
    Heap* now = new_heap();
    const std::vector<void*> objects = refill(now, 2, 10);
    Descriptor* slab = slab_at(objects[0]);
    push_late(old, slab, 1);
    // In the meantime somebody frees an object: the summary was set, so nothing is pushed.
    free_remotely({objects[0]});
    EXPECT_FALSE(is_pending(now));
    drain(old);
    EXPECT_FALSE(is_pending(old));
    EXPECT_EQ(now->pending[2].load(), slab);
    drain(now);
    EXPECT_EQ(held(now, 2), 9u);
    EXPECT_EQ(slab->summary.load(), 0u);
  });
}

TEST(HeapRemote, ALatePushOfTheSameHeapsNextSlabBringsNothing) {
  in_child([] {
    Heap* heap = new_heap();
    Descriptor* slab = slab_at(refill(heap, 39, 1)[0]);  // one word; the summary names others
    push_late(heap, slab, ~std::uint64_t{0});
    drain(heap);
    EXPECT_EQ(held(heap, 39), 1u);
    EXPECT_EQ(slab->summary.load(), 0u);
  });
}

// ---- threads ------------------------------------------------------------------------------------

// One thread takes objects and hands them to others, who free them; every object is stamped on its
// way out and must never be handed out while the stamp stands.
TEST(HeapConcurrent, NothingIsLostAndNothingComesTwice) {
  in_child([] {
    Heap* heap = new_heap();
    constexpr unsigned kFreers = 3;
    static constexpr std::uint64_t kStamp = 0x5ca1ab1e;
    struct Mailbox {
      std::mutex mutex;
      std::vector<void*> objects;
      bool closed = false;
    };
    std::vector<Mailbox> boxes(kFreers);
    std::vector<std::thread> threads;
    for (Mailbox& box : boxes) {
      threads.emplace_back([&box] {
        Outbox outbox{};
        for (bool closed = false; !closed;) {
          std::vector<void*> mine;
          {
            const std::lock_guard guard(box.mutex);
            mine.swap(box.objects);
            closed = box.closed;
          }
          for (void* p : mine) {
            ASSERT_EQ(*static_cast<std::uint64_t*>(p), kStamp);
            *static_cast<std::uint64_t*>(p) = 0;
            add_to(outbox, p);
          }
          if (mine.empty()) std::this_thread::yield();
        }
        outbox_flush(outbox);
      });
    }
    std::mt19937 random(6);
    std::uint64_t handed_out = 0;
    for (int i = 0; i < 3000; ++i) {
      const unsigned c = random() % 20;
      std::vector<void*> objects = refill(heap, c, 1 + random() % 60);
      for (void* p : objects) {
        ASSERT_NE(*static_cast<std::uint64_t*>(p), kStamp);
        *static_cast<std::uint64_t*>(p) = kStamp;
      }
      handed_out += objects.size();
      Mailbox& box = boxes[random() % kFreers];
      const std::lock_guard guard(box.mutex);
      box.objects.insert(box.objects.end(), objects.begin(), objects.end());
    }
    for (Mailbox& box : boxes) {
      const std::lock_guard guard(box.mutex);
      box.closed = true;
    }
    for (std::thread& thread : threads) thread.join();
    heaps_trim_idle();
    std::uint64_t collected = 0;
    for (const Bin& bin : heap->bins) {
      EXPECT_EQ(bin.slabs, 0u);
      collected += bin.counters.collected;
    }
    EXPECT_EQ(collected, handed_out);
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

// Heaps change hands all the time while their objects are freed by whoever has them.
TEST(HeapConcurrent, HeapsChangeHands) {
  in_child([] {
    static_cast<void>(new_heap());
    std::mutex mutex;
    std::vector<void*> shared;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(t);
        for (int life = 0; life < 60; ++life) {
          Heap* heap = heap_acquire();
          for (int i = 0; i < 10; ++i) {
            std::vector<void*> objects = refill(heap, random() % kClasses, 1 + random() % 20);
            for (void* p : objects) std::memset(p, 1, 16);
            const std::size_t own = objects.size() / 2;
            give_back(heap, {objects.begin(), objects.begin() + static_cast<std::ptrdiff_t>(own)});
            objects.erase(objects.begin(), objects.begin() + static_cast<std::ptrdiff_t>(own));
            std::vector<void*> others;
            {
              const std::lock_guard guard(mutex);
              shared.insert(shared.end(), objects.begin(), objects.end());
              while (shared.size() > 200) {
                others.push_back(shared[shared.size() / 3]);
                shared.erase(shared.begin() + static_cast<std::ptrdiff_t>(shared.size() / 3));
              }
            }
            for (void* p : others) std::memset(p, 2, 16);
            free_remotely(others);
          }
          heap_park(heap);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    free_remotely(shared);
    heaps_trim_idle();
    EXPECT_LE(heap_count(), 5u);
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

}  // namespace
}  // namespace hakmem
