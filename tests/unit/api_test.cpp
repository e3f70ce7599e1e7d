// hakmem.h: every function, and errno.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "child.hpp"
#include "hakmem/arena/spans.hpp"
#include "hakmem/base/platform.hpp"
#include "hakmem/hakmem.h"
#include "hakmem/os/memory.hpp"
#include "hakmem/slab/size_classes.hpp"
#include "support/opaque.hpp"
#include "support/pattern.hpp"
#include "support/share.hpp"

namespace hakmem {
namespace {

// Sizes: all small ones, and around every larger class and power of two.
std::vector<std::size_t> interesting_sizes() {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size <= 1100; ++size) sizes.push_back(size);
  for (const SizeClass& k : kSizeClasses) {
    for (int d = -1; d <= 1; ++d) sizes.push_back(k.size + static_cast<std::size_t>(d));
  }
  for (unsigned shift = 15; shift <= 22; ++shift) {
    for (int d = -1; d <= 1; ++d)
      sizes.push_back((std::size_t{1} << shift) + static_cast<std::size_t>(d));
  }
  return sizes;
}

const std::vector<std::size_t>& impossible_sizes() {
  static const std::vector<std::size_t> sizes = {SIZE_MAX, SIZE_MAX - 4096,
                                                 std::size_t{PTRDIFF_MAX}, kMaxObjectBytes,
                                                 std::size_t{PTRDIFF_MAX} + 1};
  return sizes;
}

// Expects `call` to give null and set ENOMEM.
template <typename Call>
void expect_no_memory(Call call) {
  errno = 0;
  EXPECT_EQ(call(), nullptr);
  EXPECT_EQ(errno, ENOMEM);
}

TEST(Api, MallocGivesDistinctAlignedUsableMemory) {
  in_child([] {
    std::vector<std::pair<char*, std::size_t>> objects;
    for (const std::size_t size : interesting_sizes()) {
      auto* p = static_cast<char*>(hak_malloc(size));
      ASSERT_NE(p, nullptr);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(p) % kMinAlignment, 0u);
      const std::size_t usable = hak_usable_size(p);
      ASSERT_GE(usable, size);
      ASSERT_EQ(usable, hak_good_size(size));
      std::memset(p, 0xA5, usable);
      objects.emplace_back(p, usable);
    }
    std::sort(objects.begin(), objects.end());
    for (std::size_t i = 1; i < objects.size(); ++i) {
      ASSERT_GE(objects[i].first, objects[i - 1].first + objects[i - 1].second);
    }
    for (const auto& [p, usable] : objects) {
      ASSERT_TRUE(pattern::all_are(p, usable, 0xA5));
      hak_free(p);
    }
  });
}

TEST(Api, CallocIsZeroWhereOthersWereBefore) {
  in_child([] {
    for (const std::size_t size : interesting_sizes()) {
      for (int round = 0; round < 2; ++round) {
        auto* p =
            static_cast<char*>(hak_calloc(size % 7 == 0 ? 7 : 1, size % 7 == 0 ? size / 7 : size));
        ASSERT_NE(p, nullptr);
        ASSERT_TRUE(pattern::all_are(p, size, 0));
        std::memset(p, 0xFF, hak_usable_size(p));
        hak_free(p);
      }
    }
  });
}

TEST(Api, ReallocKeepsWhatThereIs) {
  in_child([] {
    std::mt19937 random(10);
    const std::vector<std::size_t> sizes = interesting_sizes();
    for (int i = 0; i < 3000; ++i) {
      const std::size_t from = 1 + sizes[random() % sizes.size()];
      const std::size_t to = 1 + sizes[random() % sizes.size()];
      auto* p = static_cast<char*>(
          i % 5 == 0 ? hak_aligned_alloc(std::size_t{1} << random() % 13, from) : hak_malloc(from));
      ASSERT_NE(p, nullptr);
      std::memset(p, i % 255 + 1, from);
      auto* q = static_cast<char*>(i % 2 == 0 ? hak_realloc(p, to) : hak_reallocarray(p, to, 1));
      ASSERT_NE(q, nullptr);
      ASSERT_GE(hak_usable_size(q), to);
      ASSERT_TRUE(pattern::all_are(q, std::min(from, to), i % 255 + 1)) << from << " to " << to;
      std::memset(q, 1, hak_usable_size(q));
      hak_free(q);
    }
  });
}

TEST(Api, ReallocOfNullAndToZero) {
  in_child([] {
    void* p = hak_realloc(nullptr, 100);
    ASSERT_NE(p, nullptr);
    EXPECT_GE(hak_usable_size(p), 100u);
    errno = 77;
    EXPECT_EQ(hak_realloc(p, 0), nullptr);
    EXPECT_EQ(errno, 77);
    EXPECT_EQ(hak_malloc(100), p);  // it was freed
    p = hak_reallocarray(nullptr, 3, 100);
    ASSERT_NE(p, nullptr);
    EXPECT_GE(hak_usable_size(p), 300u);
    EXPECT_EQ(hak_reallocarray(p, 0, 100), nullptr);
    void* large = hak_malloc(300000);
    EXPECT_EQ(hak_realloc(large, 0), nullptr);
  });
}

TEST(Api, LargeObjectsGrowAndShrinkWhereTheyStand) {
  in_child([] {
    auto* p = static_cast<char*>(hak_malloc(300000));
    auto* q = static_cast<char*>(hak_realloc(p, 3000000));
    EXPECT_EQ(p, q);
    q = static_cast<char*>(hak_realloc(q, 1000000));
    EXPECT_EQ(p, q);
    EXPECT_LT(hak_usable_size(q), 1100000u);
    q = static_cast<char*>(hak_realloc(q, 100));
    EXPECT_NE(p, q);
    EXPECT_LE(hak_usable_size(q), 200u);
    hak_free(q);
  });
}

TEST(Api, ImpossibleSizesAreEnomem) {
  in_child([] {
    void* p = hak_malloc(100);
    std::memset(p, 'p', 100);
    for (const std::size_t size : impossible_sizes()) {
      expect_no_memory([&] { return hak_malloc(opaque(size)); });
      expect_no_memory([&] { return hak_calloc(1, opaque(size)); });
      expect_no_memory([&] { return hak_calloc(opaque(size), 3); });
      expect_no_memory([&] { return hak_realloc(p, opaque(size)); });
      expect_no_memory([&] { return hak_reallocarray(p, opaque(size), 2); });
      for (const std::size_t alignment : {16, 64, 4096, 1 << 20}) {
        expect_no_memory([&] { return hak_aligned_alloc(alignment, opaque(size)); });
      }
    }
    for (unsigned shift = 32; shift < 64; ++shift) {
      const std::size_t half = opaque(std::size_t{1} << shift);
      const std::size_t other = opaque(std::size_t{1} << (64 - shift));
      expect_no_memory([&] { return hak_calloc(half, other); });
      expect_no_memory([&] { return hak_reallocarray(p, half, other + 1); });
    }
    EXPECT_TRUE(pattern::all_are(p, 100, 'p'));
    hak_free(p);
  });
}

TEST(Api, AlignmentsUpToAGigabyte) {
  in_child([] {
    for (std::size_t alignment = 1; alignment <= kMaxAlignment; alignment *= 2) {
      for (const std::size_t size : {0, 1, 24, 100, 700, 5000, 65536, 65537, 200000}) {
        std::vector<void*> objects;
        for (int i = 0; i < 3; ++i) {
          auto* p = static_cast<char*>(hak_aligned_alloc(alignment, size));
          ASSERT_NE(p, nullptr) << alignment << " " << size;
          ASSERT_EQ(reinterpret_cast<std::uintptr_t>(p) % std::max(alignment, kMinAlignment), 0u);
          ASSERT_GE(hak_usable_size(p), size);
          std::memset(p, 1, size);
          objects.push_back(p);
        }
        hak_free(objects[0]);
        hak_free_sized(objects[1], size);
        hak_free_aligned_sized(objects[2], alignment, size);
      }
    }
  });
}

TEST(Api, OtherAlignmentsAreEinval) {
  in_child([] {
    for (const std::size_t alignment :
         {std::size_t{0}, std::size_t{3}, std::size_t{24}, std::size_t{4095}, 2 * kMaxAlignment,
          std::size_t{1} << 63, SIZE_MAX}) {
      errno = 0;
      EXPECT_EQ(hak_aligned_alloc(opaque(alignment), 8), nullptr);
      EXPECT_EQ(errno, EINVAL) << alignment;
    }
  });
}

TEST(Api, FreeKeepsErrno) {
  in_child([] {
    errno = 77;
    hak_free(nullptr);
    hak_free_sized(nullptr, 0);
    hak_free_aligned_sized(nullptr, 16, 0);
    EXPECT_EQ(errno, 77);
    for (const std::size_t size : interesting_sizes()) {
      void* p = hak_malloc(size);
      errno = 77;
      hak_free(p);
      ASSERT_EQ(errno, 77);
    }
    void* foreign = hak_malloc(64);
    std::thread([&] {  // the thread's first call
      errno = 77;
      hak_free(foreign);
      EXPECT_EQ(errno, 77);
    })
        .join();
  });
}

TEST(Api, UsableAndGoodSize) {
  in_child([] {
    EXPECT_EQ(hak_usable_size(nullptr), 0u);
    EXPECT_EQ(hak_good_size(SIZE_MAX), 0u);
    EXPECT_EQ(hak_good_size(kMaxObjectBytes + 1), 0u);
    for (const std::size_t size : interesting_sizes()) {
      const std::size_t good = hak_good_size(size);
      ASSERT_GE(good, std::max<std::size_t>(size, 1));
      ASSERT_EQ(hak_good_size(good), good);
      void* p = hak_malloc(good);
      ASSERT_EQ(hak_usable_size(p), good);  // nothing is wasted
      hak_free(p);
      p = hak_malloc(size);
      ASSERT_EQ(hak_usable_size(p), good);
      hak_free(p);
    }
  });
}

TEST(Api, Version) { EXPECT_EQ(hak_version(), HAKMEM_VERSION); }

TEST(Api, CollectGivesMemoryBack) {
  in_child([] {
    std::vector<void*> objects;
    for (int i = 0; i < 20000; ++i) objects.push_back(std::memset(hak_malloc(100), 1, 100));
    for (void* p : objects) hak_free(p);
    hak_free(std::memset(hak_malloc(1000000), 1, 1000000));
    hak_collect(false);
    const std::size_t dirty = span_statistics().dirty;
    EXPECT_GE(dirty, 1000000u);
    EXPECT_EQ(span_statistics().used, 0u);
#ifdef __x86_64__
    EXPECT_EQ(hak_collect(true), dirty);
    EXPECT_EQ(span_statistics().dirty, 0u);
    EXPECT_EQ(hak_collect(true), 0u);
#endif
    void* p = hak_malloc(100);
    ASSERT_NE(p, nullptr);
    hak_free(p);
  });
}

std::string statistics() {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  std::string text;
  std::thread reader([&] {
    char buffer[4096];
    for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(n));
    }
  });
  hak_print_stats(ends[1]);
  close(ends[1]);
  reader.join();
  close(ends[0]);
  return text;
}

TEST(Api, StatisticsNameClassesAndBands) {
  in_child([] {
    std::vector<void*> objects;
    for (int i = 0; i < 100; ++i) objects.push_back(hak_malloc(600));
    const std::string text = statistics();
    EXPECT_NE(text.find("C7 513..1024"), std::string::npos) << text;
    EXPECT_NE(text.find("640"), std::string::npos) << text;
    for (void* p : objects) hak_free(p);
  });
}

// ---- the n-th memory system call fails ----------------------------------------------------------

TEST(ApiFailure, EachCallInTurn) {
  for (std::uint64_t n = 1; n <= 25; n += test_share()) {
    in_child([n] {
      os::fail_memory_call(n);
      std::vector<std::pair<char*, std::size_t>> live;
      int failures = 0;
      for (int i = 0; i < 400; ++i) {
        const std::size_t size = i % 10 == 0 ? 70000 * (1 + i / 40) : 1 + 97 * i % 3000;
        errno = 0;
        auto* p = static_cast<char*>(i % 3 == 0 ? hak_calloc(1, size) : hak_malloc(size));
        if (p == nullptr) {
          ASSERT_EQ(errno, ENOMEM);
          ++failures;
          continue;
        }
        if (i % 3 == 0) {
          ASSERT_TRUE(pattern::all_are(p, size, 0));
        }
        std::memset(p, i % 256, size);
        live.emplace_back(p, i);
        if (i % 4 == 0) {
          hak_free(live[live.size() / 2].first);
          live.erase(live.begin() + static_cast<std::ptrdiff_t>(live.size() / 2));
        }
        if (i % 100 == 0) hak_collect(true);
      }
      EXPECT_LE(failures, 1);
      for (const auto& [p, i] : live) {
        ASSERT_EQ(static_cast<unsigned char>(*p), i % 256);
        hak_free(p);
      }
      hak_collect(true);
      EXPECT_EQ(span_statistics().used, 0u);
    });
  }
}

// ---- what ends the program ----------------------------------------------------------------------

TEST(ApiFault, MisuseIsNamed) {
  expect_fatal("double free of 0x", [] {
    void* p = hak_malloc(64);
    void* q = hak_malloc(64);
    hak_free(p);
    hak_free(q);
    hak_free(opaque(p));
    hak_collect(false);
  });
  expect_fatal("double free of 0x", [] {
    void* p = hak_malloc(64);
    std::thread([p] { hak_free(p); }).join();
    hak_free(opaque(p));
    hak_collect(false);
  });
  expect_fatal("double free of a large object: 0x", [] {
    void* p = hak_malloc(300000);
    hak_free(p);
    hak_free(opaque(p));
  });
  expect_fatal("invalid pointer or double free, into memory that is free: 0x", [] {
    void* p = hak_malloc(2000000);
    hak_free(p);
    hak_free(opaque(p));
  });
  expect_fatal("invalid pointer, into the middle of a large object: 0x",
               [] { hak_free(static_cast<char*>(hak_malloc(400000)) + 70000); });
  expect_fatal("invalid pointer, into the middle of a large object: 0x",
               [] { hak_free(static_cast<char*>(hak_malloc(400000)) + 16); });
  expect_fatal("invalid pointer, into the middle of an object: 0x", [] {
    hak_free(static_cast<char*>(hak_malloc(64)) + 16);
    hak_collect(false);
  });
  expect_fatal("invalid pointer, into the middle of an object: 0x",
               [] { hak_usable_size(static_cast<char*>(hak_malloc(64)) + 16); });
  expect_fatal("invalid pointer, into the middle of an object: 0x", [] {
    EXPECT_EQ(hak_realloc(static_cast<char*>(hak_malloc(64)) + 16, 10), nullptr);
  });
  expect_fatal("invalid pointer, not the start of a live object: 0x", [] {
    void* p = hak_malloc(400000);
    hak_free(p);
    hak_usable_size(opaque(p));
  });
  expect_fatal("invalid pointer, not the start of a live object: 0x", [] {
    EXPECT_EQ(hak_realloc(static_cast<char*>(hak_malloc(400000)) + 70000, 10), nullptr);
  });
  static int not_ours = 0;
  expect_fatal("invalid pointer, not of this heap: 0x", [] { hak_free(opaque(&not_ours)); });
  expect_fatal("invalid pointer, not of this heap: 0x", [] { hak_usable_size(opaque(&not_ours)); });
  expect_fatal("invalid pointer, not of this heap: 0x",
               [] { EXPECT_EQ(hak_realloc(opaque(static_cast<void*>(&not_ours)), 5), nullptr); });
}

// ---- threads ------------------------------------------------------------------------------------

TEST(ApiConcurrent, ObjectsWanderBetweenThreads) {
  in_child([] {
    constexpr std::size_t kPlaces = 256;
    std::vector<std::atomic<char*>> places(kPlaces);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(t);
        for (int i = 0; i < 20000; ++i) {
          const std::size_t size = random() % 100 == 0 ? random() % 200000 : random() % 1500;
          auto* p = static_cast<char*>(hak_malloc(size + 1));
          ASSERT_NE(p, nullptr);
          p[0] = p[size] = static_cast<char>(size);
          char* old = places[random() % kPlaces].exchange(p);
          if (old != nullptr) {
            ASSERT_NE(hak_usable_size(old), 0u);
            hak_free(old);
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (auto& place : places) hak_free(place.load());
    hak_collect(true);
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

// "Every function may be called from any thread at any time."
TEST(ApiConcurrent, StatisticsAndCollectAtAnyTime) {
  in_child([] {
    const int nowhere = open("/dev/null", O_WRONLY);
    std::atomic<int> allocated{0};
    std::atomic<int> asked{0};
    constexpr int kObjects = 2000;
    std::thread worker([&] {
      // The heap grows all the time, and so does what is known of it.
      std::vector<void*> objects;
      for (int i = 0; i < kObjects; ++i) {
        objects.push_back(hak_malloc(i % 2 == 0 ? 200000 : 1000));
        if (i % 100 == 0) {
          while (asked < i / 100) sched_yield();
        }
        allocated = i + 1;
      }
      for (void* p : objects) hak_free(p);
    });
    while (allocated < kObjects) {
      hak_print_stats(nowhere);
      hak_collect(true);
      ++asked;
    }
    worker.join();
    close(nowhere);
  });
}

// A destructor of thread-local data that runs after the thread's heap is gone.
TEST(ApiConcurrent, ThreadsAtTheirEndStillAllocateAndFree) {
  in_child([] {
    static pthread_key_t key;
    static std::atomic<int> destroyed{0};
    ASSERT_EQ(pthread_key_create(&key,
                                 [](void* p) {
                                   // Each destruction asks for one more, as often as the system
                                   // repeats them.
                                   destroyed.fetch_add(1);
                                   hak_free(p);
#ifdef __SANITIZE_THREAD__
                                   // It forgets the thread in the last round.
                                   static thread_local int rounds = 0;
                                   if (++rounds == 3) return;
#endif
                                   void* again = hak_malloc(100);
                                   if (again != nullptr) {
                                     std::memset(again, 1, 100);
                                     hak_free(hak_malloc(300000));
                                     pthread_setspecific(key, again);
                                   }
                                 }),
              0);
    for (int i = 0; i < 100; ++i) {
      std::thread([] { pthread_setspecific(key, hak_malloc(10)); }).join();
    }
    EXPECT_GE(destroyed.load(), 200);
    pthread_key_delete(key);
  });
}

}  // namespace
}  // namespace hakmem
