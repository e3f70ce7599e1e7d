// Large objects that move while they grow: by page tables, to a mapping of their own, or by
// copying.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "child.hpp"
#include "hakmem/arena/spans.hpp"
#include "hakmem/config/options.hpp"
#include "hakmem/hakmem.h"
#include "hakmem/os/memory.hpp"
#include "support/pattern.hpp"
#include "support/share.hpp"

namespace hakmem {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// One word in each 4 KiB, which says whose it is and where.
std::uint64_t mark(std::uint64_t seed, std::size_t at) { return seed * 0x9E3779B97F4A7C15u + at; }

struct Object {
  char* p = nullptr;
  std::size_t size = 0;
  std::uint64_t seed = 0;

  void write(std::size_t from = 0) {
    for (std::size_t at = from / 4096 * 4096; at + 8 <= size; at += 4096) {
      *reinterpret_cast<std::uint64_t*>(p + at) = mark(seed, at);
    }
  }

  void expect_kept() const {
    for (std::size_t at = 0; at + 8 <= size; at += 4096) {
      ASSERT_EQ(*reinterpret_cast<const std::uint64_t*>(p + at), mark(seed, at)) << at;
    }
  }

  // False: there was no memory; then the object is as before.
  bool resize(std::size_t to, hak_heap_t* heap = nullptr) {
    void* moved = heap != nullptr ? hak_heap_realloc(heap, p, to) : hak_realloc(p, to);
    if (moved == nullptr) {
      expect_kept();
      return false;
    }
    const std::size_t before = std::min(size, to);
    p = static_cast<char*>(moved);
    size = before;
    expect_kept();
    size = to;
    write(before);
    return true;
  }
};

Object make(std::size_t size, std::uint64_t seed) {
  Object o{static_cast<char*>(hak_malloc(size)), size, seed};
  EXPECT_NE(o.p, nullptr);
  o.write();
  return o;
}

// The object cannot grow where it is by more than a region.
void wall_in(const Object& o) {
  const std::size_t end = align_up(address_of(o.p) + hak_usable_size(o.p), kRegionBytes);
  const auto is_free = [end](std::size_t region) {
    return region_id_of(reinterpret_cast<void*>(end + region * kRegionBytes)) == kRegionUnused;
  };
  while (is_free(0) && is_free(1)) ASSERT_NE(hak_malloc(2 * kRegionBytes), nullptr);
}

// An object that cannot grow where it is, and has grown.
Object make_apart(std::size_t size, std::uint64_t seed) {
  Object o = make(size, seed);
  wall_in(o);
  EXPECT_TRUE(o.resize(size + size / 2));
  return o;
}

std::size_t mappings() {
  std::ifstream file("/proc/self/maps");
  std::size_t lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  return lines;
}

std::size_t apart_bytes() { return apart_regions.load() << kRegionShift; }

TEST(Apart, IsTestedInTheLeanProfile) { ASSERT_EQ(config::profile(), config::Profile::lean); }

TEST(Apart, GrowsShrinksAndGoes) {
  in_child([] {
    Object o = make_apart(2 * kMiB, 1);
    EXPECT_EQ(arena_of(o.p), nullptr);
    EXPECT_EQ(region_id_anywhere(o.p), kRegionLarge);
    EXPECT_GE(apart_bytes(), 3 * kMiB);
    for (std::size_t size = 3 * kMiB; size < 30 * kMiB; size += size / 3) {
      ASSERT_TRUE(o.resize(size));
      ASSERT_EQ(region_id_anywhere(o.p), kRegionLarge);
      ASSERT_EQ(region_id_anywhere(o.p + 1), kRegionInterior);
      ASSERT_EQ(region_id_anywhere(o.p + size - 1), kRegionInterior);
      ASSERT_GE(hak_usable_size(o.p), size);
      o.p[hak_usable_size(o.p) - 1] = 1;
    }
    ASSERT_TRUE(o.resize(8 * kMiB));
    EXPECT_LT(apart_bytes(), 9 * kMiB);  // the tail went back
    EXPECT_EQ(region_id_anywhere(o.p), kRegionLarge);
    ASSERT_TRUE(o.resize(100000));  // small again: at home
    EXPECT_EQ(apart_bytes(), 0u);
    EXPECT_NE(arena_of(o.p), nullptr);
    hak_free(o.p);
    Object p = make_apart(2 * kMiB, 2);
    hak_free(p.p);
    EXPECT_EQ(apart_bytes(), 0u);
    EXPECT_EQ(region_id_anywhere(p.p), kRegionFreed);
    EXPECT_EQ(region_id_anywhere(p.p + 64), kRegionUnused);
  });
}

TEST(Apart, WhatItLeavesIsClean) {
  in_child([] {
    Object o = make(4 * kMiB, 1);
    void* wall = hak_malloc(2 * kRegionBytes);  // right behind
    char* const before = o.p;
    const std::uint64_t purges = span_statistics().purges;
    ASSERT_TRUE(o.resize(40 * kMiB));
    EXPECT_EQ(arena_of(o.p), nullptr);
#ifdef __x86_64__
    EXPECT_EQ(span_statistics().purges, purges);  // else it was copied
#endif
    if (span_statistics().purges == purges && span_statistics().dirty == 0) {
      EXPECT_TRUE(pattern::is_zero(before, 4 * kMiB - kRegionBytes));
    }
    auto* again = static_cast<char*>(hak_calloc(1, 4 * kMiB));
    EXPECT_EQ(address_of(again) / kRegionBytes, address_of(before) / kRegionBytes);
    EXPECT_TRUE(pattern::is_zero(again, 4 * kMiB));
    for (void* p : {static_cast<void*>(o.p), wall, static_cast<void*>(again)}) hak_free(p);
    hak_collect(true);
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

TEST(Apart, PlacesAndMappingsAreFew) {
  in_child([] {
    const std::size_t before = mappings();
    std::vector<Object> objects;
    for (unsigned i = 0; i < kMaxApart / 8 + 20; ++i) objects.push_back(make_apart(kMiB, i));
    const auto apart = std::count_if(objects.begin(), objects.end(),
                                     [](const Object& o) { return !arena_of(o.p); });
    EXPECT_EQ(apart, kMaxApart / 8);  // the rest is for larger ones
    objects.push_back(make_apart(2 * kMiB, 1000));
    EXPECT_EQ(arena_of(objects.back().p), nullptr);
    EXPECT_LE(mappings(), before + kMaxApart);
    for (const Object& o : objects) {
      o.expect_kept();
      hak_free(o.p);
    }
    EXPECT_EQ(apart_bytes(), 0u);
#ifndef __SANITIZE_THREAD__  // maps more for what it knows of the memory
    EXPECT_LE(mappings(), before + 50);
#endif
  });
}

TEST(Apart, LockedMemoryIsCopiedAndStaysLocked) {
  in_child([] {
    Object o = make(kMiB, 1);
    wall_in(o);
    char* page = reinterpret_cast<char*>(align_up(address_of(o.p), os::page_size()));
    // Sanitizers do nothing for mlock. It may be forbidden.
    if (syscall(SYS_mlock, page, kMiB / 2) != 0) return;
    ASSERT_TRUE(o.resize(2 * kMiB));
#ifdef __x86_64__
    EXPECT_NE(madvise(page, os::page_size(), MADV_DONTNEED), 0);  // the old place still is
#endif
    hak_free(o.p);
  });
}

TEST(Apart, SharedHeapsKnowTheirs) {
  in_child([] {
    hak_heap_t* heap = hak_heap_new();
    hak_heap_t* other = hak_heap_new();
    Object o{static_cast<char*>(hak_heap_malloc(heap, 2 * kMiB)), 2 * kMiB, 1};
    o.write();
    Object next{static_cast<char*>(hak_heap_malloc(heap, 2 * kMiB)), 2 * kMiB, 2};
    next.write();
    wall_in(next);
    ASSERT_TRUE(o.resize(3 * kMiB, heap));
    ASSERT_TRUE(next.resize(3 * kMiB, other));
    EXPECT_EQ(arena_of(o.p), nullptr);
    const auto live = [](hak_heap_t* of) {
      hak_heap_stats_t stats{};
      hak_heap_stats(of, &stats);
      return stats.live_objects;
    };
    EXPECT_EQ(live(heap), 1u);
    ASSERT_TRUE(o.resize(30 * kMiB, heap));
    EXPECT_EQ(live(heap), 1u);
    ASSERT_TRUE(o.resize(50 * kMiB, other));  // it moves to the heap that is given
    EXPECT_EQ(live(heap), 0u);
    EXPECT_EQ(live(other), 2u);
    ASSERT_TRUE(o.resize(90 * kMiB));  // and to none
    EXPECT_EQ(live(other), 1u);
    hak_heap_destroy(heap);
    hak_heap_destroy(other);
    EXPECT_GE(apart_bytes(), 90 * kMiB);
    EXPECT_LT(apart_bytes(), 110 * kMiB);
    o.expect_kept();
    hak_free(o.p);
    EXPECT_EQ(apart_bytes(), 0u);
  });
}

TEST(Apart, ForkKeepsBothSides) {
  in_child([] {
    Object o = make_apart(2 * kMiB, 1);
    const pid_t child = fork();
    if (child == 0) {
      o.expect_kept();
      EXPECT_TRUE(o.resize(50 * kMiB));
      hak_free(o.p);
      Object another = make_apart(3 * kMiB, 2);
      another.expect_kept();
      _exit(testing::Test::HasFailure() || apart_bytes() > 6 * kMiB ? 1 : 0);
    }
    EXPECT_TRUE(o.resize(40 * kMiB));
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    o.expect_kept();
    hak_free(o.p);
  });
}

// ---- random sequences against what should be there ---------------------------------------------

void resize_at_random(unsigned seed, int steps, bool may_fail) {
  std::mt19937 random(seed);
  std::vector<Object> objects;
  for (unsigned i = 0; i < 6; ++i) objects.push_back(make(2 * kRegionBytes, seed * 100 + i));
  for (int i = 0; i < steps; ++i) {
    Object& o = objects[random() % objects.size()];
    if (random() % 16 == 0) {
      hak_free(o.p);
      o = {static_cast<char*>(hak_calloc(1, 3 * kMiB)), 3 * kMiB, random()};
      if (o.p == nullptr) {
        ASSERT_TRUE(may_fail);
        o = make(1000, random());
      } else {
        ASSERT_TRUE(pattern::is_zero(o.p, o.size));
      }
      o.write();
    }
    const std::size_t size = (2 * kRegionBytes << random() % 6) + random() % kRegionBytes;
    const bool done = o.resize(random() % 4 == 0 ? o.size + kRegionBytes : size);
    ASSERT_TRUE(done || may_fail);
    if (testing::Test::HasFailure()) return;
    if (random() % 32 == 0) hak_collect(true);
  }
  for (const Object& o : objects) {
    o.expect_kept();
    hak_free(o.p);
  }
}

void expect_nothing_left() {
  hak_collect(true);
  hak_collect(true);
  EXPECT_EQ(span_statistics().used, 0u);
  EXPECT_EQ(apart_bytes(), 0u);
}

TEST(ApartRandom, ContentIsKept) {
  for (unsigned seed = 1; seed <= 2; ++seed) {
    in_child([seed] {
      resize_at_random(seed, std::max(share_of(160), 80), false);
      EXPECT_TRUE(apart_used.load() || config::profile() != config::Profile::lean);
      expect_nothing_left();
    });
  }
}

TEST(ApartRandom, WhicheverCallFails) {
  for (std::uint64_t n = 1; n <= 20; n += test_share()) {
    in_child([n] {
      Object first = make_apart(kMiB, 1);
      os::fail_memory_call(n);
      Object second = make(2 * kMiB, 2);
      Object third = make(2 * kMiB, 3);
      for (Object* o : {&first, &second, &third, &first, &second}) {
        static_cast<void>(o->resize(o->size * 3));
      }
      static_cast<void>(second.resize(2 * kMiB));
      resize_at_random(static_cast<unsigned>(n), 10, true);
      os::fail_memory_call(0);
      for (const Object& o : {first, second, third}) {
        o.expect_kept();
        hak_free(o.p);
      }
    });
  }
}

TEST(ApartRandom, SeveralThreadsAmidPurges) {
  in_child([] {
    std::vector<std::thread> threads;
    for (unsigned t = 1; t <= 4; ++t) {
      threads.emplace_back([t] { resize_at_random(t, share_of(50), false); });
    }
    for (std::thread& thread : threads) thread.join();
    expect_nothing_left();
  });
}

#ifdef ADDRESS_SPACE_CAN_BE_LIMITED
TEST(ApartRandom, WithLittleAddressSpace) {
  in_child([] {
    const rlimit limit{256 * kMiB, 256 * kMiB};
    ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    Object o = make_apart(2 * kMiB, 1);
    Object wall = make(2 * kMiB, 2);
    int failed = 0;
    for (std::size_t size = 3 * kMiB; size < 512 * kMiB; size += size / 2) {
      if (!o.resize(size)) ++failed;
      if (!wall.resize(size)) ++failed;
      o.expect_kept();
      wall.expect_kept();
    }
    EXPECT_GT(failed, 2);
    EXPECT_GE(o.size + wall.size, 50 * kMiB);
    EXPECT_TRUE(o.resize(100000));
    EXPECT_TRUE(wall.resize(100000));
    hak_free(o.p);
    hak_free(wall.p);
    resize_at_random(1, 100, false);
    EXPECT_EQ(apart_bytes(), 0u);
  });
}
#endif

// ---- misuse -------------------------------------------------------------------------------------

TEST(ApartFault, FreedTwice) {
  expect_fatal("double free of a large object: 0x", [] {
    Object o = make_apart(2 * kMiB, 1);
    Object another = make_apart(2 * kMiB, 2);
    hak_free(o.p);
    hak_free(another.p);
    hak_free(o.p);
  });
}

TEST(ApartFault, FreedWhereItWas) {
  expect_fatal("double free of a large object: 0x", [] {
    Object o = make_apart(2 * kMiB, 1);
    char* const before = o.p;
    for (std::size_t size = 8 * kMiB; o.p == before; size *= 2) ASSERT_TRUE(o.resize(size));
    hak_free(before);
  });
}

TEST(ApartFault, UsedAfterFree) {
  expect_fatal("invalid pointer, not the start of a live object: 0x", [] {
    Object o = make_apart(2 * kMiB, 1);
    hak_free(o.p);
    EXPECT_EQ(hak_realloc(o.p, 100), nullptr);
  });
  expect_fatal("invalid pointer, not the start of a live object: 0x", [] {
    Object o = make_apart(2 * kMiB, 1);
    hak_free(o.p);
    static_cast<void>(hak_usable_size(o.p));
  });
}

TEST(ApartFault, IntoTheMiddle) {
  for (const std::size_t offset : {std::size_t{1}, std::size_t{64}, 2 * kMiB}) {
    expect_fatal("invalid pointer, into the middle of a large object: 0x",
                 [offset] { hak_free(make_apart(2 * kMiB, 1).p + offset); });
    expect_fatal("invalid pointer, not the start of a live object: 0x", [offset] {
      EXPECT_EQ(hak_realloc(make_apart(2 * kMiB, 1).p + offset, 9), nullptr);
    });
  }
}

}  // namespace
}  // namespace hakmem
