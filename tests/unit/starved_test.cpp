// The system refuses: no memory for metadata, or any memory call that fails, amid threads.
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "child.hpp"
#include "hakmem/arena/spans.hpp"
#include "hakmem/front/cache.hpp"
#include "hakmem/hakmem.h"
#include "hakmem/heap/registry.hpp"
#include "hakmem/os/memory.hpp"
#include "hakmem/slab/size_classes.hpp"
#include "support/share.hpp"

namespace hakmem {
namespace {

void exhaust_metadata() {
  for (std::size_t bytes = std::size_t{1} << 20; bytes >= 64; bytes /= 2) {
    while (metadata_allocate(bytes) != nullptr) {
    }
  }
}

// Objects of every class and some large ones, all of which must come, written and freed here.
void use_every_size() {
  std::vector<void*> objects;
  for (std::size_t size = 1; size < 200000; size += size / 4 + 1) {
    for (int i = 0; i < 40; ++i) {
      objects.push_back(hak_malloc(size));
      ASSERT_NE(objects.back(), nullptr) << size;
      static_cast<char*>(objects.back())[0] = 1;
      static_cast<char*>(objects.back())[size - 1] = 1;
    }
  }
  for (void* p : objects) hak_free(p);
}

TEST(WithoutMetadata, ThreadsWithoutACacheAllocateAndFree) {
  in_child(
      [] {
        void* before = hak_malloc(100);  // the first thread has its heap
        exhaust_metadata();
        use_every_size();
        std::thread([before] {
          use_every_size();
          hak_free(before);
          EXPECT_EQ(cache.thread, nullptr);
          hak_thread_idle();
          use_every_size();
        }).join();
        hak_thread_idle();
        use_every_size();
        hak_collect(true);
        EXPECT_EQ(span_statistics().used, 0u);
      },
      {{"HAKMEM_ARENA_BYTES", "256M"}});
}

TEST(WithoutMetadata, ThereAreNoNewHeapsButThoseThatAreGoOn) {
  in_child(
      [] {
        hak_heap_t* heap = hak_heap_new();
        ASSERT_NE(heap, nullptr);
        exhaust_metadata();
        errno = 0;
        EXPECT_EQ(hak_heap_new(), nullptr);
        EXPECT_EQ(errno, ENOMEM);
        for (std::size_t size = 1; size < 200000; size *= 2) {
          ASSERT_NE(hak_heap_calloc(heap, 1, size), nullptr);
        }
        hak_heap_destroy(heap);
        heap = hak_heap_new();  // the same again
        EXPECT_NE(heap, nullptr);
        hak_heap_destroy(heap);
      },
      {{"HAKMEM_ARENA_BYTES", "256M"}});
}

// Only slabs of the smallest objects have a remote bitmap that must be got.
TEST(WithoutMetadata, ASlabWhoseRemoteBitsAreNotToBeHadIsNotMade) {
  in_child([] {
    void* other = hak_malloc(32);
    char* const nowhere = static_cast<char*>(os::reserve(os::page_size()));
    os::release(nowhere, os::page_size());
    char* const base = std::exchange(arenas[0].remote_bits.base, nowhere);
    hak_heap_t* heap = hak_heap_new();
    errno = 0;
    EXPECT_EQ(hak_malloc(16), nullptr);
    EXPECT_EQ(hak_heap_malloc(heap, 16), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    arenas[0].remote_bits.base = base;
    hak_heap_destroy(heap);
    void* smallest = hak_malloc(16);
    ASSERT_NE(smallest, nullptr);
    std::thread([smallest] { hak_free(smallest); }).join();
    hak_free(other);
    hak_collect(true);
    EXPECT_EQ(span_statistics().used, 0u);
  });
}

// May fail, with ENOMEM, but nothing is lost.
void use_what_comes(unsigned seed) {
  std::vector<void*> objects;
  const auto keep = [&objects](void* p) {
    if (p != nullptr) {
      objects.push_back(p);
    } else {
      EXPECT_EQ(errno, ENOMEM);
    }
  };
  for (std::size_t i = 0; i < 600; ++i) {
    const std::size_t size = i % 50 == 0 ? 300000 : 1 + (seed + i) * 97 % 20000;
    errno = 0;
    keep(hak_malloc(size));
    if (void* p = objects.empty() ? nullptr : objects.back(); i % 7 == 0 && p != nullptr) {
      errno = 0;
      if (void* moved = hak_realloc(p, size * 2); moved != nullptr) {
        objects.back() = moved;
      } else {
        EXPECT_EQ(errno, ENOMEM);
      }
    }
  }
  errno = 0;
  if (hak_heap_t* heap = hak_heap_new(); heap != nullptr) {
    for (std::size_t size = 1; size < 200000; size *= 3) {
      if (void* p = hak_heap_malloc(heap, size); p != nullptr) std::memset(p, 1, size);
    }
    hak_heap_destroy(heap);
  } else {
    EXPECT_EQ(errno, ENOMEM);
  }
  for (void* p : objects) hak_free(p);
}

TEST(FailingCalls, AnyOfThemAmidThreadsLosesNothing) {
  for (std::uint64_t n = 1; n <= 40; n += test_share()) {
    in_child([n] {
      void* first = hak_malloc(100);
      os::fail_memory_call(n);
      std::vector<std::thread> threads;
      for (unsigned t = 0; t < 3; ++t) threads.emplace_back(use_what_comes, t);
      for (std::thread& thread : threads) thread.join();
      os::fail_memory_call(0);
      use_every_size();
      hak_free(first);
      hak_collect(true);
      hak_collect(true);
      EXPECT_EQ(span_statistics().used, 0u) << "call " << n;
    });
  }
}

}  // namespace
}  // namespace hakmem
