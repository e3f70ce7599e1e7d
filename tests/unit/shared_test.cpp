// Shared heaps, and the starter heaps, from which threads get their first objects.
#include <sched.h>

#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include "front_support.hpp"
#include "hakmem/heap/shared.hpp"
#include "heap_support.hpp"

namespace hakmem {
namespace {

void* start_with(unsigned c) {
  std::uint16_t turn = 0;
  return starter_allocate(turn, c);
}

void free_shared(void* p) { shared_free(p, region_id_anywhere(p)); }

std::uint32_t owner_at(const void* p) { return owner_of(region_id_anywhere(p)); }

std::uint64_t held_in(const Heap* heap) {
  std::uint64_t sum = 0;
  for (const Bin& bin : heap->bins) {
    const BinCounters& n = bin.counters;
    sum += n.carved + n.refilled - n.flushed - n.collected;
  }
  return sum;
}

void trim(Heap* heap) {
  const os::Locked inside(heap->door);
  trim_inside(heap);
}

void expect_empty(const Heap* heap) {
  EXPECT_EQ(held_in(heap), 0u);
  EXPECT_FALSE(is_pending(heap));
  EXPECT_EQ(waiting_slabs(heap), 0u);
  for (const Bin& bin : heap->bins) EXPECT_EQ(bin.slabs, 0u);
}

// Has the arena and the first thread's heap, so that further threads begin with starters.
void begin() {
  attach();
  ASSERT_NE(current_heap, nullptr);
}

// ---- starters -----------------------------------------------------------------------------------

TEST(Starters, TheFirstThreadHasAHeapAtOnce) {
  in_child([] {
    begin();
    EXPECT_EQ(owner_at(take(3)), current_heap->id);
    EXPECT_EQ(shared_heap_count(), 0u);
  });
}

TEST(Starters, AreTwentyFourOfEachClassInWholeLines) {
  in_child([] {
    begin();
    std::thread([] {
      attach();
      EXPECT_EQ(current_heap, nullptr);
      std::map<std::uintptr_t, unsigned> lines;
      for (unsigned c = 0; c < kClasses; ++c) {
        for (unsigned i = 0; i < 24; ++i) {
          auto* p = static_cast<char*>(take(c));
          ASSERT_NE(p, nullptr);
          EXPECT_TRUE(is_shared(owner_at(p)));
          const SizeClass& k = class_of(slab_of(p, region_id_anywhere(p)));
          EXPECT_GE(k.size, kSizeClasses[c].size);
          EXPECT_EQ(k.size % kCacheLine, 0u);
          EXPECT_EQ(address_of(p) % kCacheLine, 0u);
          EXPECT_TRUE(lines.emplace(address_of(p) / kCacheLine, c).second);
        }
        EXPECT_EQ(magazine(c).words, nullptr);
        EXPECT_EQ(current_heap == nullptr, c == 0);
        // It has shown that it uses the class.
        void* p = take(c);
        ASSERT_NE(current_heap, nullptr);
        EXPECT_EQ(owner_at(p), current_heap->id);
        EXPECT_NE(magazine(c).words, nullptr);
      }
      thread_end();
    }).join();
  });
}

TEST(Starters, AreThereAtOnceForTheNextThread) {
  in_child([] {
    begin();
    std::size_t used = 0;
    for (int life = 0; life < 40; ++life) {
      std::thread([] {
        attach();
        std::vector<void*> objects;
        for (unsigned c = 0; c < kClasses; ++c) {
          for (unsigned i = 0; i < 24; ++i) objects.push_back(take(c));
        }
        for (void* p : objects) free_shared(p);
        EXPECT_EQ(current_heap, nullptr);
        thread_end();
      }).join();
      if (life == 7) used = span_statistics().used;
    }
    EXPECT_EQ(span_statistics().used, used);
    void* p = start_with(3);
    free_shared(p);
    EXPECT_EQ(start_with(3), p);
    EXPECT_EQ(heap_count(), 1u);  // none of the threads needed one
    EXPECT_LE(shared_heap_count(), 4u);
  });
}

TEST(Starters, AreFreedByOthersToo) {
  in_child([] {
    begin();
    void* p = start_with(2);
    std::thread([p] { free_shared(p); }).join();
    EXPECT_EQ(start_with(2), p);
  });
}

TEST(Starters, ABusyHeapIsNotWaitedFor) {
  in_child([] {
    begin();
    void* p = start_with(2);
    Heap* busy = heap_by_id(owner_at(p));
    busy->door.lock();
    for (int i = 0; i < 10; ++i) {
      void* q = start_with(2);
      ASSERT_NE(q, nullptr);
      EXPECT_NE(owner_at(q), busy->id);
    }
    busy->door.unlock();
    EXPECT_EQ(owner_at(start_with(2)), busy->id);
  });
}

// ---- shared heaps -------------------------------------------------------------------------------

TEST(SharedHeap, GivesAndTakesObjectsOfEveryClass) {
  in_child([] {
    begin();
    Heap* heap = shared_heap_open();
    ASSERT_TRUE(is_shared(heap->id));
    std::vector<void*> objects;
    for (unsigned c = 0; c < kClasses; ++c) {
      for (int i = 0; i < 100; ++i) {
        objects.push_back(shared_allocate(heap, c));
        ASSERT_EQ(owner_at(objects.back()), heap->id);
        std::memset(objects.back(), 1, kSizeClasses[c].size);
      }
    }
    EXPECT_EQ(held_in(heap), objects.size());
    for (void* p : objects) free_shared(p);
    EXPECT_EQ(held_in(heap), 0u);
    shared_heap_close(heap);
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

TEST(SharedHeap, FreeingDoesNotWaitForWhoIsInside) {
  in_child([] {
    begin();
    Heap* heap = shared_heap_open();
    void* p = shared_allocate(heap, 2);
    void* q = shared_allocate(heap, 2);
    heap->door.lock();
    free_shared(p);
    EXPECT_EQ(held_in(heap), 2u);
    EXPECT_TRUE(is_pending(heap));
    heap->door.unlock();
    free_shared(q);
    trim(heap);
    EXPECT_EQ(held_in(heap), 0u);
    EXPECT_FALSE(is_pending(heap));
  });
}

// What waits on the pending list when a heap is closed neither keeps a slab nor comes back later.
TEST(SharedHeap, ClosesWithRemotelyFreedObjectsWaiting) {
  in_child([] {
    begin();
    for (int life = 0; life < 3; ++life) {
      Heap* heap = shared_heap_open();
      expect_empty(heap);
      std::vector<void*> objects;
      for (unsigned c = 0; c < kClasses; ++c) {
        for (int i = 0; i < 70; ++i) objects.push_back(shared_allocate(heap, c));
      }
      heap->door.lock();
      for (std::size_t i = 0; i < objects.size(); i += 2) free_shared(objects[i]);
      heap->door.unlock();
      EXPECT_TRUE(is_pending(heap));
      shared_heap_close(heap);
      EXPECT_TRUE(heap->parked.load());
      expect_empty(heap);
      EXPECT_EQ(span_statistics().used, 0u);
    }
    EXPECT_EQ(shared_heap_count(), 1u);
    // The same memory in other hands: all of it is whole.
    for (unsigned c = 0; c < kClasses; ++c) {
      for (int i = 0; i < 200; ++i) std::memset(take(c), 3, kSizeClasses[c].size);
    }
  });
}

// The freer was late: its push reaches the heap that has the closed one's place.
TEST(SharedHeap, ALatePushToAClosedHeapIsDropped) {
  in_child([] {
    begin();
    Heap* heap = shared_heap_open();
    void* p = shared_allocate(heap, 2);
    Descriptor* slab = slab_of(p, region_id_anywhere(p));
    shared_heap_close(heap);
    push_late(heap, slab, 1);
    Heap* next = shared_heap_open();
    ASSERT_EQ(next, heap);
    void* q = shared_allocate(next, 2);
    trim(next);
    EXPECT_EQ(held_in(next), 1u);
    EXPECT_EQ(slab->summary.load(), 0u);
    free_shared(q);
    shared_heap_close(next);
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

TEST(SharedHeap, ThreadsShareOne) {
  in_child([] {
    begin();
    Heap* heap = shared_heap_open();
    std::vector<std::thread> threads;
    std::atomic<void*> between[16] = {};
    for (unsigned t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (unsigned i = 0; i < 20000; ++i) {
          auto* p = static_cast<unsigned*>(shared_allocate(heap, (i + t) % 20));
          p[0] = p[3] = i;
          void* old = between[i % 16].exchange(p);
          if (old == nullptr) continue;
          ASSERT_EQ(static_cast<unsigned*>(old)[0], static_cast<unsigned*>(old)[3]);
          free_shared(old);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    trim(heap);
    EXPECT_EQ(held_in(heap), 16u);
    shared_heap_close(heap);
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

// ---- idle ---------------------------------------------------------------------------------------

TEST(IdleThread, HoldsNothingAndMayGoOnOrEnd) {
  in_child([] {
    begin();
    for (int again = 0; again < 3; ++again) {
      for (unsigned c = 0; c < kClasses; ++c) {
        std::vector<void*> objects(60);
        for (void*& p : objects) p = take(c);
        for (void* p : objects) give(c, p);
      }
      Heap* heap = current_heap;
      thread_idle();
      thread_idle();  // once is enough
      EXPECT_EQ(cache.phase, Cache::Phase::fresh);
      EXPECT_EQ(cache.thread, nullptr);
      EXPECT_EQ(cache.tag, kUnmatchableTag);
      EXPECT_TRUE(heap->parked.load());
      EXPECT_EQ(held_in(heap), 0u);
      EXPECT_EQ(span_statistics().used, 0u);
      attach();
      EXPECT_EQ(current_heap, heap);  // its own, while nobody else wanted it
    }
    thread_idle();
    thread_end();
    EXPECT_EQ(cache.phase, Cache::Phase::gone);
    EXPECT_FALSE(thread_attach());
    EXPECT_EQ(parked_count(), heap_count());
  });
}

TEST(IdleThread, ItsHeapServesTheNextThread) {
  in_child([] {
    begin();
    Heap* heap = current_heap;
    void* kept = take(3);
    thread_idle();
    std::thread([heap, kept] {
      attach();
      EXPECT_EQ(current_heap, heap);
      EXPECT_EQ(slab_of(take(3), region_id_anywhere(kept))->owner.load(), heap->id);
      thread_end();
    }).join();
    attach();
    EXPECT_EQ(current_heap, heap);
    give(3, kept);
    EXPECT_EQ(take(3), kept);
  });
}

// A thread that began without a heap takes, when it needs one, that of a thread which ended
// meanwhile, and with it what that thread's cache held: neither cache may be lost.
TEST(KeptCaches, OfAHeapThatIsTakenLateAreNotLost) {
  in_child([] {
    begin();
    std::atomic<int> step{0};
    const auto wait_for = [&step](int n) {
      while (step != n) sched_yield();
    };
    std::thread late([&] {
      attach();  // nobody has parked a heap yet
      EXPECT_EQ(current_heap, nullptr);
      step = 1;
      wait_for(2);
      std::vector<void*> objects(60);
      for (void*& p : objects) p = take(3);
      ASSERT_NE(current_heap, nullptr);
      for (void* p : objects) {
        is_shared(owner_at(p)) ? free_shared(p) : give(3, p);
      }
      thread_end();
    });
    wait_for(1);
    std::thread([] {
      attach();
      for (unsigned c = 0; c < 20; ++c) {
        std::vector<void*> objects(60);
        for (void*& p : objects) p = take(c);
        for (void* p : objects) {
          is_shared(owner_at(p)) ? free_shared(p) : give(c, p);
        }
      }
      thread_end();
    }).join();
    step = 2;
    late.join();
    parked_caches_release();
    heaps_trim_idle();
    std::uint64_t held = 0;
    for_each_heap([&held](Heap* heap) { held += held_in(heap); });
    EXPECT_EQ(held, 0u);
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

}  // namespace
}  // namespace hakmem
