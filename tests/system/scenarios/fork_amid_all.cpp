// Several threads fork while others are inside every part of the allocator.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <random>
#include <thread>
#include <vector>

#include "support/pattern.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

constexpr unsigned kPatience = 50;  // seconds after which a child counts as deadlocked

struct Object {
  void* p = nullptr;
  std::size_t size = 0;

  void allocate(std::size_t bytes, std::uint64_t seed) {
    p = std::malloc(bytes);
    REQUIRE(p != nullptr);
    size = bytes;
    pattern::fill(p, size, seed);
  }
  void release(std::uint64_t seed) {
    if (p == nullptr) return;
    REQUIRE(pattern::holds(p, size, seed));
    std::free(p);
    p = nullptr;
  }
};

template <std::size_t kCount>
struct Table {
  std::array<Object, kCount> objects;

  void fill(std::mt19937& random, std::size_t most) {
    for (std::size_t i = 0; i < kCount; ++i) objects[i].allocate(1 + random() % most, i);
  }
  void empty() {
    for (std::size_t i = 0; i < kCount; ++i) objects[i].release(i);
  }
};

// ---- the others: one thread for each part of the allocator

std::atomic<bool> stop{false};
std::array<std::atomic<void*>, 512> mailboxes{};

void use_small() {
  std::mt19937 random(1);
  while (!stop) {
    Table<300> table;
    table.fill(random, 2000);
    table.empty();
  }
}

void use_large() {
  std::mt19937 random(2);
  while (!stop) {
    Table<8> table;
    table.fill(random, 400000);
    Object& first = table.objects[0];
    first.p = std::realloc(first.p, first.size + 100000);
    table.empty();
  }
}

void free_remotely(std::size_t size) {
  while (!stop) {
    for (auto& mailbox : mailboxes) std::free(mailbox.exchange(std::malloc(size)));
  }
}

void use_heaps() {
  while (!stop) {
    hak_heap_t* const heap = hak_heap_new();
    for (std::size_t size = 8; size < 100000; size *= 2) {
      void* const p = hak_heap_malloc(heap, size);
      if (size % 3 == 0) hak_free(p);
    }
    hak_heap_destroy(heap);
  }
}

void start_threads() {
  while (!stop) {
    std::thread([] {
      for (auto& mailbox : mailboxes) std::free(mailbox.exchange(std::malloc(40)));
      hak_thread_idle();
      std::free(std::malloc(100));
    }).join();
  }
}

void collect() {
  while (!stop) {
    hak_collect(true);
    malloc_trim(0);
    static_cast<void>(mallinfo2());
  }
}

// ---- those who fork

void require_success(pid_t child) {
  int status = -1;
  REQUIRE(child > 0);
  while (waitpid(child, &status, 0) < 0) REQUIRE(errno == EINTR);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) std::fputs("a deadlock\n", stderr);
  REQUIRE(status == 0);
}

// A child allocates, frees what the parent had, starts a thread, and forks again now and then.
[[noreturn]] void live_as_child(Table<100>& inherited, unsigned seed, int depth) {
  alarm(kPatience);
  std::mt19937 random(seed);
  Table<100> own;
  own.fill(random, 3000);
  inherited.empty();
  std::thread([&] {
    own.empty();
    inherited.fill(random, 3000);
  }).join();
  hak_heap_t* const heap = hak_heap_new();
  REQUIRE(hak_heap_calloc(heap, 10, 1000) != nullptr && std::malloc(200000) != nullptr);
  hak_heap_destroy(heap);
  if (depth > 0) {
    const pid_t grandchild = fork();
    if (grandchild == 0) live_as_child(inherited, seed + 1, depth - 1);
    require_success(grandchild);
  }
  for (auto& mailbox : mailboxes) std::free(mailbox.exchange(nullptr));
  inherited.empty();
  hak_collect(true);
  _exit(0);
}

void fork_often(unsigned seed, int forks) {
  std::mt19937 random(seed);
  for (int i = 0; i < forks; ++i) {
    Table<100> table;
    table.fill(random, 3000);
    const pid_t child = fork();
    if (child == 0) live_as_child(table, seed + 1, i % 8 == 0 ? 2 : 0);
    require_success(child);
    table.empty();
  }
}

}  // namespace

SCENARIO(fork_amid_all_parts_of_the_allocator) {
  constexpr int kForkers = 3;
  const int forks = scenario::scaled(250) / kForkers + 1;
  std::vector<std::thread> others;
  for (void (*part)() : {use_small, use_large, use_heaps, start_threads, collect}) {
    others.emplace_back(part);
  }
  for (const std::size_t size : {24u, 600u}) others.emplace_back(free_remotely, size);
  std::vector<std::thread> forkers;
  for (unsigned i = 0; i < kForkers; ++i) forkers.emplace_back(fork_often, i * 1000, forks);
  for (std::thread& thread : forkers) thread.join();
  stop = true;
  for (std::thread& thread : others) thread.join();
  for (auto& mailbox : mailboxes) std::free(mailbox.load());
}
