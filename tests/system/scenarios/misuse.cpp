// What must end the program with one line and SIGABRT, at the latest when everything is collected.
#include <cstdint>
#include <thread>
#include <vector>

#include "support/opaque.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

constexpr std::size_t kSmallSizes[] = {16, 64, 640, 1024, 4096, 30000};

// Prints the address that the message must name.
void announce(const void* p) {
  std::printf("%p\n", p);
  std::fflush(stdout);
}

void* at(void* p, std::size_t offset) { return opaque(static_cast<char*>(p) + offset); }

std::vector<void*> many(std::size_t size) {
  std::vector<void*> objects(size <= 1024 ? 4000 : 200);
  for (void*& p : objects) p = std::malloc(size);
  return objects;
}

void free_twice_with_flush_between(std::size_t size) {
  const std::vector<void*> objects = many(size);
  void* const victim = opaque(objects[objects.size() / 2]);
  announce(victim);
  for (void* p : objects) {
    if (p != objects[0]) std::free(p);  // the first keeps its slab, not the victim's
  }
  std::free(victim);
  hak_collect(true);
}

void free_twice_at_once(std::size_t size) {
  void* const before = std::malloc(size);
  void* const p = std::malloc(size);
  announce(p);
  std::free(p);
  std::free(opaque(p));
  std::free(before);
  hak_collect(true);
}

void free_here_and_in_another_thread(std::size_t size) {
  const std::vector<void*> objects = many(size);
  void* const victim = opaque(objects[1]);
  announce(victim);
  std::free(objects[1]);
  std::thread([victim] { std::free(victim); }).join();
  hak_collect(true);
}

void free_inside(std::size_t size, std::size_t offset) {
  const std::vector<void*> objects = many(size);
  void* const inside = at(objects[7], offset);
  announce(inside);
  std::free(inside);
  hak_collect(true);
}

void free_into_released_slab(std::size_t size) {
  const std::vector<void*> objects = many(size);
  for (void* p : objects) std::free(p);
  hak_collect(true);
  void* const p = opaque(objects[objects.size() / 2]);
  announce(p);
  std::free(p);
  hak_collect(true);
}

}  // namespace

SCENARIO(dies_double_free_16) { free_twice_at_once(16); }
SCENARIO(dies_double_free_64) { free_twice_at_once(64); }
SCENARIO(dies_double_free_640) { free_twice_at_once(640); }
SCENARIO(dies_double_free_1024) { free_twice_at_once(1024); }
SCENARIO(dies_double_free_4096) { free_twice_at_once(4096); }
SCENARIO(dies_double_free_30000) { free_twice_at_once(30000); }

SCENARIO(dies_flushed_double_free_16) { free_twice_with_flush_between(16); }
SCENARIO(dies_flushed_double_free_64) { free_twice_with_flush_between(64); }
SCENARIO(dies_flushed_double_free_640) { free_twice_with_flush_between(640); }
SCENARIO(dies_flushed_double_free_1024) { free_twice_with_flush_between(1024); }
SCENARIO(dies_flushed_double_free_4096) { free_twice_with_flush_between(4096); }
SCENARIO(dies_flushed_double_free_30000) { free_twice_with_flush_between(30000); }

SCENARIO(dies_double_free_across_threads_64) { free_here_and_in_another_thread(64); }
SCENARIO(dies_double_free_across_threads_1024) { free_here_and_in_another_thread(1024); }
SCENARIO(dies_double_free_across_threads_4096) { free_here_and_in_another_thread(4096); }

SCENARIO(dies_middle_of_64) { free_inside(64, 16); }
SCENARIO(dies_middle_of_64_odd) { free_inside(64, 1); }
SCENARIO(dies_middle_of_1024) { free_inside(1024, 512); }
SCENARIO(dies_middle_of_30000) { free_inside(30000, 4096); }

SCENARIO(dies_released_slab_64) { free_into_released_slab(64); }
SCENARIO(dies_released_slab_1024) { free_into_released_slab(1024); }
SCENARIO(dies_released_slab_30000) { free_into_released_slab(30000); }

namespace {

void free_large_twice(std::size_t size) {
  void* const p = std::malloc(size);
  announce(p);
  std::free(p);
  std::free(opaque(p));
}

void free_inside_large(std::size_t size, std::size_t offset) {
  void* const p = std::malloc(size);
  announce(at(p, offset));
  std::free(at(p, offset));
}

}  // namespace

SCENARIO(dies_large_double_free_300k) { free_large_twice(300 << 10); }
SCENARIO(dies_large_double_free_1m) { free_large_twice(1 << 20); }
SCENARIO(dies_large_double_free_100m) { free_large_twice(100 << 20); }
SCENARIO(dies_inside_span_page) { free_inside_large(1 << 20, 4096); }
SCENARIO(dies_inside_span_region) { free_inside_large(1 << 20, 3 * 65536); }
SCENARIO(dies_inside_span_16) { free_inside_large(1 << 20, 16); }

SCENARIO(dies_large_double_free_collected) {
  void* const p = std::malloc(3 << 20);
  announce(p);
  std::free(p);
  hak_collect(true);
  std::free(opaque(p));
}

SCENARIO(dies_free_in_thread_that_exits) {
  void* const p = std::malloc(200);
  announce(p);
  std::thread([p] {
    std::free(p);
    std::free(opaque(p));
  }).join();
  hak_collect(true);
}

// A workload as wild as it is right: not a word on stderr.
SCENARIO(no_false_alarm) {
  for (const std::size_t size : kSmallSizes) {
    for (int round = 0; round < 3; ++round) {
      std::vector<void*> objects = many(size);
      for (std::size_t i = 0; i < objects.size(); i += 2) std::free(objects[i]);
      hak_collect(round == 1);
      std::thread([&objects, size] {
        for (std::size_t i = 1; i < objects.size(); i += 2) std::free(objects[i]);
        for (void*& p : objects) p = std::malloc(size / 2 + 8);
      }).join();
      for (void* p : objects) std::free(p);
      std::free(std::malloc(100 << 10));
      hak_collect(true);
    }
  }
}
