// No memory for metadata: threads do without a cache, and heaps that are there go on.
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "child.hpp"
#include "hakmem/arena/spans.hpp"
#include "hakmem/front/cache.hpp"
#include "hakmem/hakmem.h"
#include "hakmem/heap/registry.hpp"

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
      std::memset(objects.back(), 1, size);
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

}  // namespace
}  // namespace hakmem
