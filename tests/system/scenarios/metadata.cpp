// What the allocator's own books take beside a heap of a gigabyte: by its counters, and as the
// system sees it.
#include <cstring>
#include <thread>

#include "support/opaque.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

constexpr std::size_t kGiB = std::size_t{1} << 30;
constexpr std::size_t kMostShare = 15;  // of a thousand parts

// A heap of one gigabyte that knows itself: each object holds the next one.
class Heap {
 public:
  Heap(std::size_t least, std::size_t most) {
    void** end = &first_;
    for (std::size_t bytes = 0, size = least; bytes < kGiB; bytes += size) {
      void* const p = std::memset(opaque(std::malloc(size)), 1, size);
      *end = p;
      end = static_cast<void**>(p);
      size = least + (size * 7 + 13) % (most - least + 1);
    }
    *end = nullptr;
  }

  void free_every_second() {
    for (void** at = &first_; *at != nullptr; at = static_cast<void**>(*at)) {
      void* const p = *at;
      *at = *static_cast<void**>(p);
      std::free(p);
      if (*at == nullptr) break;
    }
  }

  ~Heap() {
    while (first_ != nullptr) {
      void* const p = first_;
      first_ = *static_cast<void**>(p);
      std::free(p);
    }
  }
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

 private:
  void* first_ = nullptr;
};

// `before`: resident when there was no heap yet.
void require_small_books(const char* when, std::size_t before) {
  hak_stats_t s;
  hak_stats(&s);
  const std::size_t resident = scenario::resident_bytes();
  const std::size_t objects = s.live + s.cached + s.free + s.slack;
  const std::size_t seen = resident > before + objects ? resident - before - objects : 0;
  std::printf("%s: metadata %.2f %% by the counters, %.2f %% as the system sees it\n", when,
              100. * static_cast<double>(s.metadata_resident) / static_cast<double>(resident),
              100. * static_cast<double>(seen) / static_cast<double>(resident));
  REQUIRE(s.metadata_resident * 1000 < resident * kMostShare);
  REQUIRE(seen * 1000 < resident * kMostShare);
}

void measure(std::size_t least, std::size_t most) {
  const std::size_t before = scenario::resident_bytes();
  Heap heap(least, most);
  require_small_books("full", before);
  heap.free_every_second();
  require_small_books("every second object freed", before);
  std::thread([&] { heap.free_every_second(); }).join();
  require_small_books("half of the rest freed by another thread", before);
}

}  // namespace

SCENARIO(metadata_beside_a_gigabyte_of_32_bytes) { measure(32, 32); }

SCENARIO(metadata_beside_a_gigabyte_of_all_sizes) { measure(16, 2000); }
