// large_worker WORKLOAD [SEED]: runs one workload of large objects under whatever malloc is there,
// and prints a line: CPU seconds, wall seconds, peak RSS in KiB. Without a workload it lists them.
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "../number_argument.h"
#include "../process_status.h"

namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;
constexpr std::size_t kGiB = 1024 * kMiB;
constexpr std::size_t kPage = 4096;

void* checked(void* p) {
  if (p == nullptr) {
    std::fputs("large_worker: out of memory\n", stderr);
    std::_Exit(1);
  }
  return p;
}

void touch(char* p, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; i += kPage) p[i] = 1;
}

std::uint64_t random_state = 88172645463325252u;

std::uint64_t random_number() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

// ---- growing ------------------------------------------------------------------------------------

enum class Pages { last, all };
enum class Neighbours { none, some };

std::size_t by_half(std::size_t size) { return size + size / 2; }
std::size_t by_step(std::size_t size) { return size + 64 * kKiB; }

// Grows a buffer from 4 KiB to `to`. Its last byte is written at each size, or all its pages. With
// neighbours, a small and a large object that stay are allocated at each size up to 64 MiB.
void grow(std::size_t to, std::size_t (*next)(std::size_t), Pages pages, Neighbours neighbours) {
  constexpr std::size_t kMost = 4096;
  static void* kept[2 * kMost];
  std::size_t count = 0;
  std::size_t size = 4 * kKiB;
  std::size_t touched = 0;
  auto* p = static_cast<char*>(checked(std::malloc(size)));
  while (true) {
    if (pages == Pages::all) touch(p, touched, size);
    touched = size;
    p[size - 1] = 1;
    if (neighbours == Neighbours::some && size <= 64 * kMiB && count + 2 <= 2 * kMost) {
      kept[count++] = checked(std::malloc(100));
      kept[count++] = checked(std::malloc(60000));
    }
    if (size == to) break;
    size = next(size) < to ? next(size) : to;
    p = static_cast<char*>(checked(std::realloc(p, size)));
  }
  std::free(p);
  while (count != 0) std::free(kept[--count]);
}

void thrice(std::size_t to, Pages pages, Neighbours neighbours) {
  for (int i = 0; i < 3; ++i) grow(to, by_half, pages, neighbours);
}

// Two buffers grow in turn, so that one always stands in the other's way.
void grow_two(std::size_t to, Pages pages) {
  char* p[2] = {};
  std::size_t before = 0;
  for (std::size_t size = 4 * kKiB; before != to; size = std::min(by_half(size), to)) {
    for (char*& buffer : p) {
      buffer = static_cast<char*>(checked(std::realloc(buffer, size)));
      if (pages == Pages::all) touch(buffer, before, size);
      buffer[size - 1] = 1;
    }
    before = size;
  }
  for (char* buffer : p) std::free(buffer);
}

// 100,000 times a random one of 100 objects gets a random size of 64 KiB to 8 MiB; small ones are
// likelier. The last byte is written.
void random_sizes() {
  constexpr int kLive = 100;
  char* live[kLive] = {};
  for (int i = 0; i < 100'000; ++i) {
    char*& p = live[random_number() % kLive];
    const std::size_t size = (64 * kKiB << random_number() % 7) + random_number() % (64 * kKiB);
    p = static_cast<char*>(checked(std::realloc(p, size)));
    p[size - 1] = 1;
  }
  for (char* p : live) std::free(p);
}

// Sixteen vectors that double in turn, to 1 to 32 MiB, and are filled; then the next ones.
void vectors() {
  constexpr int kVectors = 16;
  for (int round = 0; round < 6; ++round) {
    char* p[kVectors] = {};
    std::size_t size[kVectors] = {};
    for (std::size_t to = 64 * kKiB; to <= 32 * kMiB; to *= 2) {
      for (int i = 0; i < kVectors; ++i) {
        if (to > kMiB << (i % 6)) continue;
        p[i] = static_cast<char*>(checked(std::realloc(p[i], to)));
        touch(p[i], size[i], to);
        size[i] = to;
      }
    }
    for (char* vector : p) std::free(vector);
  }
}

// ---- allocating and freeing ---------------------------------------------------------------------

// 20 objects of 5 to 25 MB live; a random one is replaced, and each page of the new one written.
void replace_huge() {
  constexpr int kLive = 20;
  char* live[kLive] = {};
  for (int i = 0; i < 1000; ++i) {
    char*& p = live[random_number() % kLive];
    std::free(p);
    const std::size_t size = 5'000'000 + random_number() % 20'000'001;
    p = static_cast<char*>(checked(std::malloc(size)));
    touch(p, 0, size);
  }
  for (char* p : live) std::free(p);
}

// 64 objects of 64 KiB to 1 MiB live; a random one is replaced, and its first byte written.
void replace_large() {
  constexpr int kLive = 64;
  char* live[kLive] = {};
  for (int i = 0; i < 2'000'000; ++i) {
    char*& p = live[random_number() % kLive];
    std::free(p);
    p = static_cast<char*>(checked(std::malloc(64 * kKiB + random_number() % (960 * kKiB))));
    *p = 1;
  }
  for (char* p : live) std::free(p);
}

// Zeroed memory of 1 MiB to 1 GiB, and what mmap and munmap take for the same.
void zeroed(void* (*get)(std::size_t), void (*give)(void*, std::size_t)) {
  for (std::size_t size = kMiB; size <= kGiB; size *= 2) {
    for (int i = 0; i < 200; ++i) {
      auto* p = static_cast<char*>(checked(get(size)));
      p[0] = p[size / 2] = p[size - 1] = 1;
      give(p, size);
    }
  }
}

void zeroed_by_calloc() {
  zeroed([](std::size_t size) { return std::calloc(1, size); },
         [](void* p, std::size_t) { std::free(p); });
}

void zeroed_by_mmap() {
  zeroed(
      [](std::size_t size) {
        void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return p == MAP_FAILED ? nullptr : p;
      },
      [](void* p, std::size_t size) { munmap(p, size); });
}

// ---- the list -----------------------------------------------------------------------------------

struct Workload {
  const char* name;
  void (*run)();
};

const Workload kWorkloads[] = {
    {"grow-512m", [] { thrice(512 * kMiB, Pages::last, Neighbours::none); }},
    {"grow-1g", [] { grow(kGiB, by_half, Pages::last, Neighbours::none); }},
    {"steps-256m", [] { grow(256 * kMiB, by_step, Pages::last, Neighbours::none); }},
    {"grow-512m-neighbours", [] { thrice(512 * kMiB, Pages::last, Neighbours::some); }},
    {"steps-256m-neighbours", [] { grow(256 * kMiB, by_step, Pages::last, Neighbours::some); }},
    {"grow-512m-filled", [] { thrice(512 * kMiB, Pages::all, Neighbours::none); }},
    {"grow-512m-filled-neighbours", [] { thrice(512 * kMiB, Pages::all, Neighbours::some); }},
    {"two-512m",
     [] {
       for (int i = 0; i < 3; ++i) grow_two(512 * kMiB, Pages::last);
     }},
    {"two-256m-filled", [] { grow_two(256 * kMiB, Pages::all); }},
    {"vectors", vectors},
    {"random-sizes", random_sizes},
    {"replace-5-25mb", replace_huge},
    {"replace-64k-1m", replace_large},
    {"calloc", zeroed_by_calloc},
    {"calloc-by-mmap", zeroed_by_mmap},
};

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seed = 1;
  const bool has_seed = argc == 3 && bench::read_number(argv[2], 1, 1'000'000, &seed);
  if (argc != 2 && !has_seed) {
    for (const Workload& workload : kWorkloads) std::puts(workload.name);
    return argc == 1 ? 0 : 2;
  }
  random_state *= 2 * seed - 1;  // odd: no seed makes it 0
  for (const Workload& workload : kWorkloads) {
    if (std::strcmp(argv[1], workload.name) != 0) continue;
    const double wall = seconds(CLOCK_MONOTONIC);
    const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    workload.run();
    std::printf("%.6f %.6f %llu\n", seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu,
                seconds(CLOCK_MONOTONIC) - wall,
                static_cast<unsigned long long>(bench::peak_rss_kib()));
    return 0;
  }
  std::fprintf(stderr, "large_worker: there is no workload '%s'\n", argv[1]);
  return 2;
}
