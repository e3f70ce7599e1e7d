// What there is beside the live objects. Slabs of programs that run for long: what a burst filled
// drains, since refill takes from the fullest. And the books. Bytes are counted; nothing waits for
// a clock.
#include <algorithm>
#include <random>
#include <vector>

#include "child.hpp"
#include "hakmem/hakmem.h"
#include "stats_support.hpp"

namespace hakmem {
namespace {

double slabs_over_live() {
  const hak_stats_t s = stats();
  return static_cast<double>(s.live + s.cached + s.free + s.slack + s.punched) /
         static_cast<double>(s.live);
}

class Program {
 public:
  // Each phase has its own sizes. A burst comes, of which one in ten stays, wherever it lies; then
  // work goes on in waves. Returns the bytes of slabs over those of live objects at the end.
  double phase() {
    least_ = std::size_t{16} << random_() % 5;
    most_ = least_ << (1 + random_() % 2);
    const auto before = static_cast<std::ptrdiff_t>(live_.size());
    allocate(40000);
    std::shuffle(live_.begin() + before, live_.end(), random_);
    while (live_.size() > static_cast<std::size_t>(before) + 4000) free_last();
    for (int wave = 0; wave < 20; ++wave) {
      allocate(8000);
      free_some(8000);
    }
    hak_collect(false);  // what caches hold is not in question
    const double over_live = slabs_over_live();
    free_some(live_.size() - std::min<std::size_t>(live_.size(), 6000));
    return over_live;
  }

  void end() { free_some(live_.size()); }

 private:
  void allocate(int count) {
    for (int i = 0; i < count; ++i) {
      live_.push_back(hak_malloc(least_ + random_() % (most_ - least_)));
    }
  }

  void free_last() {
    hak_free(live_.back());
    live_.pop_back();
  }

  void free_some(std::size_t count) {
    for (; count != 0; --count) {
      std::swap(live_[random_() % live_.size()], live_.back());
      free_last();
    }
  }

  std::mt19937 random_{1};
  std::vector<void*> live_;
  std::size_t least_ = 0;
  std::size_t most_ = 0;
};

// 2.2 live bytes on average; 4.3 where the emptiest slabs serve first.
TEST(Drain, SlabsOfABurstBecomeFewAgain) {
  in_child(
      [] {
        Program program;
        double sum = 0;
        constexpr int kPhases = 30;
        for (int i = 0; i < kPhases; ++i) sum += program.phase();
        EXPECT_LT(sum / kPhases, 3);
        program.end();
        hak_collect(false);
        const hak_stats_t s = stats();
        EXPECT_EQ(s.live + s.cached + s.free + s.slack, 0u);
      },
      {{"HAKMEM_PURGE_DELAY", "1000000000"}});
}

// Beside objects of one size, in thousandths. Slabs of 16 B need a remote bitmap of their own.
TEST(Metadata, IsASmallPartOfAHeap) {
  for (const std::size_t size : {16, 32, 64, 1024}) {
    in_child([size] {
      for (std::size_t bytes = 0; bytes < std::size_t{64} << 20; bytes += size) {
        ASSERT_NE(hak_malloc(size), nullptr);
      }
      const hak_stats_t s = stats();
      EXPECT_LT(s.metadata * 1000 / s.committed, size == 16 ? 20u : 15u) << size;
    });
  }
}

}  // namespace
}  // namespace hakmem
