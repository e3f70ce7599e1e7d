// A program frees all it had, as fast as it can, and from then on takes and frees one object of one
// size now and then: nothing stays, in the first arena or in later ones.
#include <unistd.h>

#include <algorithm>
#include <random>
#include <vector>

#include "child.hpp"
#include "hakmem/arena/spans.hpp"
#include "hakmem/hakmem.h"

namespace hakmem {
namespace {

#ifdef __x86_64__  // emulators may ignore the advice to purge

constexpr std::size_t kBytes = std::size_t{80} << 20;

void expect_nothing_kept(const std::vector<std::size_t>& sizes, std::size_t used_afterwards) {
  in_child([&] {
    std::vector<void*> objects;
    for (const std::size_t size : sizes) {
      for (std::size_t i = 0; i < kBytes / sizes.size() / size; ++i) {
        objects.push_back(hak_malloc(size));
      }
    }
    if (sizes.size() > 1) std::shuffle(objects.begin(), objects.end(), std::mt19937(7));
    for (void* p : objects) hak_free(p);
    for (int i = 0;; ++i) {
      const SpanStatistics s = span_statistics();
      if (s.used + s.dirty < std::size_t{16} << 20) break;
      ASSERT_LT(i, 5000) << s.used << " bytes used, " << s.dirty << " dirty";
      hak_free(hak_malloc(used_afterwards));
      usleep(1000);
    }
  });
}

TEST(Aftermath, OfOneSize) { expect_nothing_kept({64}, 64); }

// The arrays have wires from the time when little waited.
TEST(Aftermath, OfManySizesAtRandom) {
  expect_nothing_kept({16, 48, 64, 128, 256, 512, 1024, 4000}, 512);
}

#endif

}  // namespace
}  // namespace hakmem
