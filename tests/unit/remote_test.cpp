// Remote free of a single slab: bits, summary, and the rule of who pushes. No heap yet: the test
// keeps the list.
#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "child.hpp"
#include "hakmem/slab/remote.hpp"
#include "slab_support.hpp"

namespace hakmem {
namespace {

std::uint64_t word_of(const SizeClass& k, unsigned w) {
  const unsigned bits = std::min(64u, k.capacity - w * 64u);
  return bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

TEST(Remote, OnlyTheFirstPushes) {
  in_child([] {
    for (const SizeClass& k : kSizeClasses) {
      Descriptor* slab = make_slab(k, 1);
      static_cast<void>(popped(slab_carve, slab, k.capacity));
      bool first = true;
      std::uint64_t words = 0;
      for (unsigned w = 0; w < k.words; ++w) {
        EXPECT_EQ(remote_return(slab, class_of(slab), w, 1), first);
        EXPECT_FALSE(remote_return(slab, class_of(slab), w, word_of(k, w) & ~std::uint64_t{1}));
        first = false;
        words |= std::uint64_t{1} << w;
      }
      EXPECT_EQ(slab->slab.free, 0u);  // nothing has reached the owner's line
      EXPECT_EQ(remote_take_summary(slab), words);
      EXPECT_EQ(remote_take_summary(slab), 0u);
      EXPECT_EQ(remote_collect(slab, words), k.capacity);
      EXPECT_EQ(remote_collect(slab, words), 0u);  // once only
      EXPECT_TRUE(slab_is_empty(slab));
      EXPECT_EQ(popped(slab_take, slab, k.capacity).size(), k.capacity);
      EXPECT_TRUE(remote_return(slab, class_of(slab), 0, 1));  // and round it goes
      EXPECT_EQ(remote_collect(slab, remote_take_summary(slab)), 1u);
      slab->slab.free = 0;
    }
  });
}

// Slabs of different classes share the bitmaps' places, one after the other.
TEST(Remote, EachSlabBeginsWithNothingWaiting) {
  in_child([] {
    const Descriptor* place = nullptr;
    for (const unsigned c : {0u, 1u, 0u, 5u, 9u, 0u, 3u}) {
      const SizeClass& k = kSizeClasses[c];
      Descriptor* slab = make_slab(k, 0);
      if (place == nullptr) place = slab;
      ASSERT_EQ(slab, place);
      EXPECT_EQ(remote_filled_words(slab), 0u);
      static_cast<void>(popped(slab_carve, slab, k.capacity));
      std::uint64_t words = 0;
      for (unsigned w = 0; w < k.words; w += 2) {
        static_cast<void>(remote_return(slab, k, w, word_of(k, w)));
        words |= std::uint64_t{1} << w;
      }
      EXPECT_EQ(remote_filled_words(slab), words);
      for (unsigned w = 1; w < k.words; w += 2) slab_return_word(slab, w, word_of(k, w));
      static_cast<void>(remote_collect(slab, remote_take_summary(slab)));
      ASSERT_TRUE(slab_is_empty(slab));
      slab_destroy(slab);
      span_free(slab);
    }
  });
}

TEST(Remote, OnlyNamedWordsAreCollected) {
  in_child([] {
    const SizeClass& k = kSizeClasses[0];
    Descriptor* slab = make_slab(k, 0);
    static_cast<void>(popped(slab_carve, slab, k.capacity));
    static_cast<void>(remote_return(slab, class_of(slab), 3, 0b1011));
    static_cast<void>(remote_return(slab, class_of(slab), 60, 0b1));
    EXPECT_EQ(remote_collect(slab, std::uint64_t{1} << 60), 1u);
    EXPECT_EQ(remote_collect(slab, std::uint64_t{1} << 3), 3u);
    EXPECT_EQ(remote_take_summary(slab), std::uint64_t{1} << 3 | std::uint64_t{1} << 60);
  });
}

// The late step of a freer: a summary that names nothing here, or words the slab does not have.
TEST(Remote, StaleSummariesBringNothing) {
  in_child([] {
    for (const SizeClass& k : kSizeClasses) {
      Descriptor* slab = make_slab(k, 0);
      static_cast<void>(popped(slab_carve, slab, k.capacity));
      EXPECT_TRUE(remote_put_back(slab, ~std::uint64_t{0}));
      EXPECT_FALSE(remote_put_back(slab, 1));  // on the list already: not pushed again
      EXPECT_EQ(remote_collect(slab, remote_take_summary(slab)), 0u);
      EXPECT_EQ(slab->slab.free, 0u);
    }
  });
}

TEST(RemoteFault, FreedTwiceBeforeItIsCollected) {
  for (const unsigned c : {0u, 39u}) {
    expect_fatal("double free of 0x", [c] {
      Descriptor* slab = make_slab(kSizeClasses[c], 0);
      static_cast<void>(popped(slab_carve, slab, 16));
      static_cast<void>(remote_return(slab, class_of(slab), 0, 0b0110));
      static_cast<void>(remote_return(slab, class_of(slab), 0, 0b1100));
    });
  }
}

TEST(RemoteFault, FreedByTheOwnerToo) {
  for (const unsigned c : {0u, 39u}) {
    expect_fatal("double free of 0x", [c] {
      Descriptor* slab = make_slab(kSizeClasses[c], 0);
      const std::vector<void*> objects = popped(slab_carve, slab, 16);
      EXPECT_EQ(slab_return_run(slab, &objects[2], 1), 1u);
      static_cast<void>(remote_return(slab, class_of(slab), 0, 0b0110));
      remote_collect(slab, remote_take_summary(slab));
    });
  }
}

TEST(RemoteFault, NeverAllocated) {
  expect_fatal("invalid pointer, never allocated: 0x", [] {
    Descriptor* slab = make_slab(kSizeClasses[0], 0);
    static_cast<void>(popped(slab_carve, slab, 16));
    static_cast<void>(remote_return(slab, class_of(slab), 0, std::uint64_t{1} << 16));
    remote_collect(slab, remote_take_summary(slab));
  });
}

// ---- several threads free objects of one slab while the owner drains it -------------------------

// `rounds` times the owner hands out all objects; each freer returns its share, in random portions.
void churn(unsigned c, unsigned freers, int rounds) {
  const SizeClass& k = kSizeClasses[c];
  Descriptor* slab = make_slab(k, 0);
  std::atomic<int> on_list{0};  // the pending list: 0 or 1 slabs long, or the rule is broken
  std::atomic<int> round{0};
  std::atomic<unsigned> busy{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < freers; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      for (int r = 1; r <= rounds; ++r) {
        while (round.load(std::memory_order_acquire) < r) std::this_thread::yield();
        for (unsigned w = 0; w < k.words; ++w) {
          // Bits t, t + freers, ... of every word are this thread's.
          std::uint64_t mine = 0;
          for (unsigned bit = t; bit < 64; bit += freers) mine |= std::uint64_t{1} << bit;
          mine &= word_of(k, w);
          while (mine != 0) {
            std::uint64_t part = mine & random();
            if (part == 0) part = mine & -mine;
            mine &= ~part;
            if (remote_return(slab, class_of(slab), w, part)) {
              ASSERT_EQ(on_list.exchange(1, std::memory_order_release), 0);
            }
          }
        }
        busy.fetch_sub(1, std::memory_order_release);
      }
    });
  }
  for (int r = 1; r <= rounds; ++r) {
    unsigned handed_out = 0;
    handed_out += static_cast<unsigned>(popped(slab_take, slab, k.capacity).size());
    handed_out += static_cast<unsigned>(popped(slab_carve, slab, k.capacity).size());
    ASSERT_EQ(handed_out, k.capacity);
    busy.store(freers, std::memory_order_relaxed);
    round.store(r, std::memory_order_release);
    unsigned collected = 0;
    bool last_look = false;
    while (!last_look) {
      last_look = busy.load(std::memory_order_acquire) == 0;
      if (on_list.load(std::memory_order_acquire) == 0) {
        std::this_thread::yield();
        continue;
      }
      on_list.store(0, std::memory_order_relaxed);  // off the list; then the summary
      collected += remote_collect(slab, remote_take_summary(slab));
    }
    ASSERT_EQ(collected, k.capacity) << "round " << r;
    ASSERT_TRUE(slab_is_empty(slab));
    ASSERT_EQ(slab->summary.load(), 0u);
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(RemoteConcurrent, NothingIsLostAndNothingComesTwice) {
  for (const unsigned c : {0u, 7u, 17u, 39u}) {
    in_child([c] { churn(c, 3, 300); });
  }
}

}  // namespace
}  // namespace hakmem
