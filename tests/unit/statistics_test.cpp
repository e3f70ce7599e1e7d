// hak_stats: where the memory is, to the byte. malloc is libc's here, so that every object of the
// library is known.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "child.hpp"
#include "hakmem/arena/spans.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/front/magazine.hpp"
#include "hakmem/hakmem.h"
#include "hakmem/heap/holes.hpp"
#include "hakmem/os/memory.hpp"
#include "size_class_support.hpp"
#include "stats_support.hpp"

namespace hakmem {
namespace {

void expect_adds_up(const hak_stats_t& s) {
  EXPECT_EQ(s.committed, s.live + s.cached + s.free + s.slack + s.dirty + s.purged + s.metadata);
  EXPECT_GE(s.mapped, s.committed);
  EXPECT_LE(s.metadata_resident, s.metadata);
  EXPECT_LE(s.punched, s.purged);
}

// Where all that is known of the moment is how much the program holds.
void expect_live(std::size_t bytes) {
  const hak_stats_t s = stats();
  expect_adds_up(s);
  EXPECT_EQ(s.live, bytes);
}

std::size_t usable(const std::vector<void*>& objects) {
  std::size_t bytes = 0;
  for (const void* p : objects) bytes += hak_usable_size(p);
  return bytes;
}

// Every class of both families, and large objects with and without a moved start.
std::vector<void*> some_of_everything(int of_each) {
  std::vector<void*> objects;
  for (int i = 0; i < of_each; ++i) {
    for (unsigned c = 0; c < kOrdinaryClasses; ++c) {
      objects.push_back(hak_malloc(kSizeClasses[c].size));
    }
    for (std::size_t alignment = 128; alignment <= 65536; alignment *= 2) {
      objects.push_back(hak_aligned_alloc(alignment, alignment));
    }
    for (const std::size_t size : {40000, 65536, 100000, 1000000}) {
      objects.push_back(hak_malloc(size));
    }
  }
  return objects;
}

void free_all(std::vector<void*>& objects) {
  for (void* p : objects) hak_free(p);
  objects.clear();
}

// What a thread does and when is said from outside; between two steps it is quiet.
class Steps {
 public:
  explicit Steps(std::vector<std::function<void()>> steps)
      : thread_([this, steps = std::move(steps)] {
          for (std::size_t i = 0; i < steps.size(); ++i) {
            while (wanted_ <= i) sched_yield();
            steps[i]();
            done_ = i + 1;
          }
          while (wanted_ <= steps.size()) sched_yield();
        }) {}
  ~Steps() {
    ++wanted_;
    thread_.join();
  }
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;

  void next() {
    const std::size_t next = ++wanted_;
    while (done_ < next) sched_yield();
  }

 private:
  std::atomic<std::size_t> wanted_{0};
  std::atomic<std::size_t> done_{0};
  std::thread thread_;
};

// ---- one thread ---------------------------------------------------------------------------------

TEST(Statistics, AreZeroBeforeTheFirstCall) {
  in_child([] {
    const hak_stats_t s = stats();
    expect_adds_up(s);
    EXPECT_EQ(s.mapped, 0u);
    EXPECT_EQ(s.heaps, 0u);
  });
}

TEST(Statistics, KnowEveryLiveByte) {
  in_child([] {
    std::vector<void*> objects = some_of_everything(30);
    expect_live(usable(objects));
    for (std::size_t i = 0; i < objects.size(); i += 2) {
      hak_free(objects[i]);
      objects[i] = nullptr;
    }
    expect_live(usable(objects));
    free_all(objects);
    expect_live(0);
  });
}

TEST(Statistics, AfterCollectOnlyTheBooksAreLeft) {
  in_child([] {
    std::vector<void*> objects = some_of_everything(30);
    free_all(objects);
    hak_collect(false);
    const hak_stats_t before = stats();
    EXPECT_EQ(before.live + before.cached + before.free + before.slack, 0u);
    EXPECT_GT(before.dirty, 0u);
    hak_collect(true);
    const hak_stats_t after = stats();
    expect_adds_up(after);
    EXPECT_EQ(after.live + after.cached + after.free + after.slack, 0u);
    EXPECT_EQ(after.dirty + after.purged, before.dirty + before.purged);
#ifdef __x86_64__  // emulators need not purge
    EXPECT_EQ(after.dirty, 0u);
    EXPECT_GT(after.purges, before.purges);
#endif
  });
}

TEST(Statistics, ACachedObjectIsOneThatTheArrayHolds) {
  in_child([] {
    for (unsigned c = 0; c < kOrdinaryClasses; ++c) {
      const SizeClass& k = kSizeClasses[c];
      const std::size_t cached = stats().cached;
      void* p = hak_malloc(k.size);
      const std::size_t held = cache.words[k.slot] - cache.thread->magazines[c].words;
      EXPECT_EQ(stats().cached, cached + held * k.size);
      hak_free(p);
      EXPECT_EQ(stats().cached, cached + (held + 1) * k.size);
    }
  });
}

// A heap's first slab of a class.
std::size_t bytes_of_shortest(const SizeClass& k) { return slab_lengths(k)[0] * kRegionBytes; }
std::size_t objects_in_shortest(const SizeClass& k) { return k.capacity_of(slab_lengths(k)[0]); }

TEST(Statistics, PagesOfTheSlackThatWentAreNotMissingElsewhere) {
  in_child([] {
    for (unsigned c = 0; c < kOrdinaryClasses; ++c) {
      const SizeClass& k = kSizeClasses[c];
      hak_heap_t* heap = hak_heap_new();
      ASSERT_NE(hak_heap_malloc(heap, k.size), nullptr);
      const hak_stats_t before = stats();
      const std::size_t gone = holes_punch_all();
      const hak_stats_t after = stats();
      expect_adds_up(after);
      const std::size_t slack = bytes_of_shortest(k) - objects_in_shortest(k) * k.size;
      EXPECT_LE(before.slack - after.slack, slack);
      EXPECT_GT(before.slack - after.slack + 2 * os::page_size(), slack);  // the whole pages of it
      EXPECT_EQ(before.free - after.free + before.slack - after.slack, gone);
      hak_heap_destroy(heap);
      EXPECT_EQ(slack_given_back.load(), 0u);
    }
  });
}

TEST(Statistics, ASlabIsObjectsAndSlack) {
  in_child([] {
    for (unsigned c = 0; c < kClasses; ++c) {
      const SizeClass& k = kSizeClasses[c];
      // A shared heap has no cache: what is not live is free.
      hak_heap_t* heap = hak_heap_new();
      const hak_stats_t before = stats();
      void* p = c < kOrdinaryClasses ? hak_heap_malloc(heap, k.size)
                                     : hak_heap_aligned(heap, k.size, k.size);
      const hak_stats_t after = stats();
      expect_adds_up(after);
      const std::size_t objects = objects_in_shortest(k) * k.size;
      const std::size_t ahead = k.is_long() ? 0 : (config::segment_slabs() - 1) * kRegionBytes;
      EXPECT_EQ(after.live - before.live, k.size);
      EXPECT_EQ(after.free - before.free, objects - k.size + ahead);
      EXPECT_EQ(after.slack - before.slack, bytes_of_shortest(k) - objects);
      hak_free(p);
      hak_heap_destroy(heap);
    }
  });
}

TEST(Statistics, LargeObjectsAndTheirSlack) {
  in_child([] {
    void* p = hak_malloc(100000);
    hak_stats_t s = stats();
    expect_adds_up(s);
    EXPECT_EQ(s.live, hak_usable_size(p));
    EXPECT_EQ(s.live + s.slack, 2 * kRegionBytes);
    p = hak_realloc(p, 500000);
    s = stats();
    EXPECT_EQ(s.live, hak_usable_size(p));
    EXPECT_EQ(s.live + s.slack, 8 * kRegionBytes);
    p = hak_realloc(p, 70000);
    s = stats();
    expect_adds_up(s);
    EXPECT_EQ(s.live, hak_usable_size(p));
    EXPECT_EQ(s.live + s.slack, 2 * kRegionBytes);
    hak_free(p);
    expect_live(0);
  });
}

// What is mapped outside the arenas is in use, and in no other part; what it left behind is purged.
// The tests run with small arenas, too.
bool arenas_are_small() {
  return config::arena_bytes() != 0 && config::arena_bytes() < std::size_t{16} << 20;
}

TEST(Statistics, ObjectsMappedApart) {
  in_child([] {
    constexpr std::size_t kMiB = std::size_t{1} << 20;
    std::vector<void*> objects = some_of_everything(3);
    objects.push_back(hak_malloc(300 * kMiB));
    void*& moving = objects.emplace_back(hak_malloc(20 * kMiB));
    void* barrier = hak_malloc(100000);
    const hak_stats_t before = stats();
    moving = hak_realloc(moving, 30 * kMiB);
    const hak_stats_t apart = stats();
    expect_adds_up(apart);
    expect_live(usable(objects) + hak_usable_size(barrier));
    const std::size_t new_span =
        20 * kMiB + (apart.live + apart.slack) - (before.live + before.slack);
    if (!arenas_are_small()) {  // else what was moved has had no place in them
      EXPECT_EQ(apart.mapped - before.mapped, new_span);
      EXPECT_GE(apart.dirty + apart.purged, before.dirty + before.purged + 20 * kMiB);
    }
    moving = hak_realloc(moving, 100 * kMiB);
    expect_live(usable(objects) + hak_usable_size(barrier));
    moving = hak_realloc(moving, 22 * kMiB);
    expect_live(usable(objects) + hak_usable_size(barrier));
    // One with room to grow, and many that grow in turn.
    for (std::size_t size = kMiB; size < 40 * kMiB; size += size / 3) {
      for (void*& p : objects) {
        if (hak_usable_size(p) >= 900000) p = hak_realloc(p, std::max(size, hak_usable_size(p)));
      }
      expect_live(usable(objects) + hak_usable_size(barrier));
    }
    hak_collect(true);
    expect_live(usable(objects) + hak_usable_size(barrier));
    hak_free(barrier);
    free_all(objects);
    expect_live(0);
    EXPECT_EQ(stats().mapped, before.mapped);
  });
}

TEST(Statistics, SeveralArenas) {
  in_child([] {
    std::vector<void*> objects;
    for (int i = 0; i < 60; ++i) {
      objects.push_back(hak_malloc(1000000));
      objects.push_back(hak_malloc(500));
    }
    EXPECT_EQ(arena_count.load() > 2, arenas_are_small());
    expect_live(usable(objects));
    std::size_t mapped = 0;
    for (std::size_t i = 0; i < arena_count.load(); ++i) mapped += arenas[i].mapped;
    EXPECT_EQ(stats().mapped, mapped);
    free_all(objects);
    expect_live(0);
  });
}

TEST(Statistics, SharedHeaps) {
  in_child([] {
    hak_heap_t* heap = hak_heap_new();
    std::vector<void*> objects;
    for (std::size_t size = 1; size < 200000; size += 1 + size / 5) {
      objects.push_back(hak_heap_malloc(heap, size));
    }
    expect_live(usable(objects));
    hak_free(objects.back());
    objects.pop_back();
    expect_live(usable(objects));
    hak_heap_destroy(heap);
    expect_live(0);
  });
}

// ---- several threads ----------------------------------------------------------------------------

TEST(StatisticsConcurrent, TellLiveFromCachedInQuietThreads) {
  in_child([] {
    std::vector<void*> mine = some_of_everything(5);
    std::vector<void*> its;
    {
      Steps other({[&] { its = some_of_everything(40); },
                   [&] {
                     for (std::size_t i = 1; i < its.size(); i += 2) {
                       hak_free(its[i]);
                       its[i] = nullptr;
                     }
                   },
                   [&] { free_all(its); }, [] { hak_thread_idle(); }});
      for (int step = 0; step < 4; ++step) {
        other.next();
        expect_live(usable(mine) + usable(its));
      }
      hak_collect(false);
      const hak_stats_t s = stats();
      EXPECT_EQ(s.live, usable(mine));
    }
    free_all(mine);
    expect_live(0);
  });
}

TEST(StatisticsConcurrent, ObjectsOnTheirWayHomeAreCached) {
  in_child([] {
    std::vector<void*> objects = some_of_everything(40);
    Steps other({[&] {
                   for (std::size_t i = 0; i < objects.size() / 2; ++i) {
                     hak_free(objects.back());
                     objects.pop_back();
                   }
                 },
                 [&] { free_all(objects); }, [] { hak_thread_idle(); }});
    for (int step = 0; step < 3; ++step) {
      other.next();
      expect_live(usable(objects));
    }
    EXPECT_GT(stats().cached, 0u);
    hak_collect(true);
    const hak_stats_t s = stats();
    expect_adds_up(s);
    EXPECT_EQ(s.live + s.cached, 0u);
  });
}

TEST(StatisticsConcurrent, WhatEndedThreadsLeftIsCached) {
  in_child([] {
    std::vector<void*> kept;
    // Larger arrays than those of a few such threads would not be kept.
    for (int i = 0; i < 3; ++i) {
      std::thread([&] {
        std::vector<void*> objects = some_of_everything(30);
        kept.push_back(objects.back());
        objects.pop_back();
        free_all(objects);
      }).join();
      expect_live(usable(kept));
    }
    EXPECT_GT(stats().cached, 0u);
    hak_collect(true);
    EXPECT_EQ(stats().cached, 0u);
    expect_live(usable(kept));
  });
}

TEST(StatisticsConcurrent, InTheChildOfAFork) {
  in_child([] {
    std::vector<void*> mine = some_of_everything(10);
    std::vector<void*> its;
    Steps other({[&] { its = some_of_everything(10); }});
    other.next();
    const std::size_t live = usable(mine) + usable(its);
    const std::size_t cached = stats().cached;
    const pid_t child = fork();
    if (child == 0) {
      const hak_stats_t s = stats();
      expect_adds_up(s);
      // What the other thread's cache held is nobody's any more, and counts as live.
      EXPECT_GE(s.live, live);
      EXPECT_EQ(s.live + s.cached, live + cached);
      free_all(mine);
      EXPECT_LT(stats().live, s.live);
      _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    expect_live(live);
  });
}

// Beside threads at work: the sums hold, and each thread blurs the parts by its cache at most.
TEST(StatisticsConcurrent, AddUpAtAnyTime) {
  in_child([] {
    constexpr unsigned kThreads = 3;
    constexpr std::size_t kMostSize = 4000;
    constexpr std::size_t kOutbox = 256 << 10;
    const std::size_t blur = kThreads * (config::cache_budget() + kOutbox);
    // Three times as many live bytes as may be blurred.
    const std::size_t places_each = 3 * blur / kThreads / (kMostSize / 2);
    std::atomic<std::size_t> live{0};
    std::atomic<unsigned> at_work{0};
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(t);
        std::vector<void*> places(places_each, nullptr);
        for (std::size_t i = 0; !over; ++i) {
          void*& p = places[i % places_each];
          live -= hak_usable_size(p);
          hak_free(p);
          p = hak_malloc(1 + random() % kMostSize);
          live += hak_usable_size(p);
          if (i == places_each) ++at_work;
        }
        free_all(places);
      });
    }
    while (at_work < kThreads) sched_yield();
    for (int i = 0; i < 100; ++i) {
      const std::size_t before = live;
      const hak_stats_t s = stats();
      expect_adds_up(s);
      EXPECT_GT(before, 2 * blur);
      EXPECT_LE(s.live, before + blur);
      EXPECT_GE(s.live + blur, before);
    }
    over = true;
    for (std::thread& thread : threads) thread.join();
    expect_live(0);
  });
}

// ---- other forms --------------------------------------------------------------------------------

std::string json() {
  std::string text(hak_stats_json(nullptr, 0) + 200, '?');
  const std::size_t length = hak_stats_json(text.data(), text.size());
  EXPECT_LT(length, text.size());
  EXPECT_EQ(text[length], '\0');
  text.resize(length);
  return text;
}

void expect_member(const std::string& text, const std::string& name, std::size_t value) {
  const std::string member = "\"" + name + "\": " + std::to_string(value);
  const std::size_t at = text.find(member);
  ASSERT_NE(at, text.npos) << member << " in " << text;
  EXPECT_EQ(std::string(",}]").find(text[at + member.size()]) == std::string::npos, false) << text;
}

TEST(StatisticsJson, SaysWhatTheStructSays) {
  in_child([] {
    std::vector<void*> objects = some_of_everything(20);
    const hak_stats_t s = stats();
    const std::string text = json();
    expect_member(text, "version", HAKMEM_VERSION);
    expect_member(text, "mapped", s.mapped);
    expect_member(text, "committed", s.committed);
    expect_member(text, "live", s.live);
    expect_member(text, "cached", s.cached);
    expect_member(text, "free", s.free);
    expect_member(text, "slack", s.slack);
    expect_member(text, "dirty", s.dirty);
    expect_member(text, "purged", s.purged);
    expect_member(text, "metadata", s.metadata);
    expect_member(text, "punched", s.punched);
    expect_member(text, "heaps", s.heaps);
    for (const SizeClass& k : kSizeClasses) expect_member(text, "size", k.size);
    free_all(objects);
  });
}

TEST(StatisticsJson, IsCutWhereThereIsNoRoom) {
  in_child([] {
    void* p = hak_malloc(100);
    const std::string whole = json();
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{2}, std::size_t{100}, whole.size()}) {
      std::string text(size + 1, '?');
      EXPECT_GE(hak_stats_json(text.data(), size), size);
      EXPECT_EQ(std::strlen(text.c_str()), size - 1);
      EXPECT_EQ(whole.compare(0, size - 1, text, 0, size - 1), 0);
      EXPECT_EQ(text[size], '?');
    }
    hak_free(p);
  });
}

}  // namespace
}  // namespace hakmem
