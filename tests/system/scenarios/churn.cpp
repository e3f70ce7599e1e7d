// A churn after which the profiles hold different amounts of memory. Prints the resident bytes.
#include <random>
#include <thread>
#include <vector>

#include "support/opaque.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

// Fills and empties a working set of small and large objects several times; keeps one in fifty.
void churn(unsigned seed, std::vector<void*>& kept) {
  std::mt19937 random(seed);
  for (int round = 0; round < 6; ++round) {
    std::vector<void*> live;
    for (int i = 0; i < 30000; ++i) {
      const std::size_t size =
          random() % 100 == 0 ? 40000 + random() % 300000 : 16 + random() % 2000;
      auto* const p = static_cast<char*>(std::malloc(size));
      REQUIRE(p != nullptr);
      for (std::size_t at = 0; at < size; at += 4096) opaque(p)[at] = 1;
      live.push_back(p);
    }
    for (std::size_t i = 0; i < live.size(); ++i) {
      if (round == 2 && i % 50 == 0) {
        kept.push_back(live[i]);
      } else {
        std::free(live[i]);
      }
    }
  }
}

}  // namespace

// The threads are at rest, but not ended, when memory is measured: what their caches hold counts.
SCENARIO(resident_after_churn) {
  std::vector<void*> kept[2];
  churn(1, kept[0]);
  std::size_t resident = 0;
  std::thread([&] {
    churn(2, kept[1]);
    resident = scenario::resident_bytes();
  }).join();
  std::printf("RESIDENT %zu\n", resident);
  for (auto& objects : kept) {
    for (void* p : objects) std::free(p);
  }
}
