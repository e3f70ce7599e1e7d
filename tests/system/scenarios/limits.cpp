// Little address space, little data segment, locked memory, memory that runs out.
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <latch>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "support/opaque.hpp"
#include "support/pattern.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

constexpr std::size_t kMiB = 1u << 20;

// Objects with content, in a list that takes no memory while memory is short.
class Hoard {
 public:
  Hoard() { objects_.reserve(1u << 20); }
  ~Hoard() { release(); }
  Hoard(const Hoard&) = delete;
  Hoard& operator=(const Hoard&) = delete;

  // Allocates until NULL or `most` bytes; returns the bytes that were got.
  std::size_t fill(std::size_t size, std::size_t most) {
    std::size_t got = 0;
    while (got + size <= most && objects_.size() < objects_.capacity()) {
      errno = 0;
      void* const p = std::malloc(size);
      if (p == nullptr) {
        REQUIRE(errno == ENOMEM);
        break;
      }
      pattern::fill(p, size, objects_.size());
      objects_.push_back({p, size});
      got += size;
    }
    return got;
  }

  void verify() const {
    for (std::size_t i = 0; i < objects_.size(); ++i) {
      REQUIRE(pattern::holds(objects_[i].p, objects_[i].size, i));
    }
  }

  void release(std::size_t keep = 0) {
    while (objects_.size() > keep) {
      std::free(objects_.back().p);
      objects_.pop_back();
    }
  }

  std::size_t count() const { return objects_.size(); }

 private:
  struct Object {
    void* p;
    std::size_t size;
  };
  std::vector<Object> objects_;
};

// Fills the memory to the brim three times, with large objects, small ones, and a mixture.
void exhaust_and_recover(std::size_t least, std::size_t limit) {
  Hoard hoard;
  for (const std::size_t size : {kMiB, std::size_t{1000}, std::size_t{20000}}) {
    const std::size_t got = hoard.fill(size, 2 * limit);
    REQUIRE(got >= least && got <= limit);
    const std::size_t half = hoard.count() / 2;
    hoard.fill(100, 8 * kMiB);  // what is left in corners, and NULL again
    errno = 0;
    REQUIRE(std::calloc(1, 64 * kMiB) == nullptr && errno == ENOMEM);
    errno = 0;
    void* const kept = std::malloc(16);
    if (kept != nullptr) {
      std::memset(kept, 7, 16);
      REQUIRE(std::realloc(kept, opaque(limit)) == nullptr && errno == ENOMEM);
      REQUIRE(static_cast<char*>(kept)[15] == 7);
      std::free(kept);
    }
    hoard.verify();
    hoard.release(half);
    REQUIRE(hoard.fill(size, 16 * kMiB) >= 16 * kMiB / size * size);
    hoard.verify();
    hoard.release();
  }
}

}  // namespace

SCENARIO(ulimit_v_gives_700_mb_in_pieces) {
  Hoard hoard;
  REQUIRE(hoard.fill(kMiB, 300 * kMiB) == 300 * kMiB);
  REQUIRE(hoard.fill(64 << 10, 200 * kMiB) == 200 * kMiB);
  REQUIRE(hoard.fill(2000, 100 * kMiB) >= 100 * kMiB - 2000);
  REQUIRE(hoard.fill(20000, 100 * kMiB) >= 100 * kMiB - 20000);
  hoard.verify();
  hoard.release();
}

// Started with an address space of 384 MiB.
SCENARIO(exhausted_address_space) { exhaust_and_recover(150 * kMiB, 384 * kMiB); }

SCENARIO(lowers_its_own_address_space) {
  Hoard first;
  REQUIRE(first.fill(100000, 50 * kMiB) > 0);
  scenario::limit(RLIMIT_AS, 512 * kMiB);
  {
    Hoard grown;  // the library looks at the limit when the heap grows
    REQUIRE(grown.fill(kMiB, 80 * kMiB) == 80 * kMiB);
  }
  // What is reserved and unused may not stand in the way of others: a stack, a mapping.
  std::thread([] { std::free(std::malloc(1000)); }).join();
  void* const mapping =
      mmap(nullptr, 32 * kMiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapping != MAP_FAILED && munmap(mapping, 32 * kMiB) == 0);
  exhaust_and_recover(100 * kMiB, 512 * kMiB);
  first.verify();
  first.release();
}

// Started with a data segment of 384 MiB.
SCENARIO(exhausted_data_segment) { exhaust_and_recover(150 * kMiB, 384 * kMiB); }

// One may starve while the other holds everything, but nothing is lost between them.
SCENARIO(exhausted_by_two_threads) {
  std::latch start(2);
  Hoard hoards[2];
  auto body = [&start](Hoard* hoard) {
    start.arrive_and_wait();
    for (int round = 0; round < 3; ++round) {
      hoard->fill(round == 1 ? 600 : 300000, 1024 * kMiB);
      hoard->verify();
      hoard->release();
    }
  };
  std::thread a(body, &hoards[0]);
  std::thread b(body, &hoards[1]);
  a.join();
  b.join();
  REQUIRE(hoards[0].fill(100000, 1024 * kMiB) > 100 * kMiB);
}

SCENARIO(new_throws_and_handler_saves) {
  static void* reserve = std::malloc(64 * kMiB);
  static int calls = 0;
  Hoard hoard;
  hoard.fill(kMiB, 1024 * kMiB);
  bool thrown = false;
  try {
    ::operator delete(::operator new(opaque(32 * kMiB)));
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  REQUIRE(thrown);
  REQUIRE(::operator new(opaque(32 * kMiB), std::nothrow) == nullptr);
  std::set_new_handler([] {
    ++calls;
    REQUIRE(reserve != nullptr);  // called again although there is room now
    std::free(std::exchange(reserve, nullptr));
  });
  void* const p = ::operator new(opaque(32 * kMiB));
  REQUIRE(p != nullptr && calls == 1);
  hoard.verify();
  ::operator delete(p);
  hoard.release();
}

SCENARIO(mlockall_stays_small) {
  REQUIRE(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
  // Some kernels give pages to what is locked and can only be read: the table of region ids.
  const std::size_t before = scenario::resident_bytes();
  for (int round = 0; round < 20; ++round) {
    std::vector<void*> objects;
    for (std::size_t i = 0; i < 5000; ++i) {
      objects.push_back(std::malloc(i % 2000));
      pattern::fill(objects.back(), i % 2000, i);
    }
    std::free(std::calloc(1, 2 * kMiB));
    for (std::size_t i = 0; i < objects.size(); ++i) {
      REQUIRE(pattern::holds(objects[i], i % 2000, i));
      std::free(objects[i]);
    }
  }
  malloc_trim(0);
  REQUIRE(scenario::resident_bytes() < before + 50 * kMiB);
}

// Slabs of such objects take 512 KiB each: what is left beside them only spans can use.
SCENARIO(spans_serve_where_a_slab_finds_no_room) {
  std::size_t live = 0;
  while (live < 64 * kMiB && std::malloc(64 << 10) != nullptr) live += 64 << 10;
  REQUIRE(live > 7700 << 10);
}

// Much churn over little live memory, for a container that grants little.
SCENARIO(little_memory) {
  Hoard hoard;
  for (std::size_t round = 0; round < 60; ++round) {
    hoard.fill(300 + round * 97 % 30000, 12 * kMiB);
    hoard.verify();
    hoard.release();
    hoard.fill(64 << 10, 8 * kMiB);
    hoard.release();
  }
}
