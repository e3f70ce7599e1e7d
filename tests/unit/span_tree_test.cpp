// The tree of free spans against an ordered set.
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "child.hpp"
#include "hakmem/arena/span_tree.hpp"

namespace hakmem {
namespace {

using Key = std::pair<std::uint32_t, Descriptor*>;  // by size, then by address

Descriptor* best_of(const std::set<Key>& model, std::size_t regions) {
  const auto found = model.lower_bound({static_cast<std::uint32_t>(regions), nullptr});
  return found == model.end() ? nullptr : found->second;
}

void compare_with_model(unsigned seed, std::size_t spans, std::uint32_t largest) {
  std::mt19937 random(seed);
  const auto array = std::make_unique<Descriptor[]>(spans);
  std::vector<bool> in_tree(spans);
  SpanTree tree;
  std::set<Key> model;
  for (int step = 0; step < 20000; ++step) {
    const std::size_t i = random() % spans;
    Descriptor* span = &array[i];
    if (in_tree[i]) {
      tree.remove(span);
      model.erase({span->regions, span});
    } else {
      span->regions = 1 + random() % largest;
      tree.insert(span);
      model.insert({span->regions, span});
    }
    in_tree[i] = !in_tree[i];
    const std::size_t wanted = 1 + random() % (largest + 1);
    ASSERT_EQ(tree.best_fit(wanted), best_of(model, wanted)) << step;
  }
  for (std::size_t wanted = 0; wanted <= largest + 1; ++wanted) {
    ASSERT_EQ(tree.best_fit(wanted), best_of(model, wanted));
  }
}

TEST(SpanTreeTest, AgreesWithAnOrderedSet) {
  compare_with_model(1, 500, 1000);  // sizes mostly differ
  compare_with_model(2, 500, 3);     // mostly ties: the lowest address wins
  compare_with_model(3, 8, 8);       // often empty
}

TEST(SpanTreeTest, TakenInOrderUntilEmpty) {
  constexpr std::size_t kSpans = 2000;
  const auto array = std::make_unique<Descriptor[]>(kSpans);
  SpanTree tree;
  EXPECT_EQ(tree.best_fit(0), nullptr);
  for (std::size_t i = 0; i < kSpans; ++i) {
    array[i].regions = static_cast<std::uint32_t>(1 + i * 7 % 50);
    tree.insert(&array[i]);
  }
  Key last{0, nullptr};
  for (std::size_t i = 0; i < kSpans; ++i) {
    Descriptor* span = tree.best_fit(1);
    ASSERT_NE(span, nullptr);
    const Key key{span->regions, span};
    ASSERT_LT(last, key);
    last = key;
    tree.remove(span);
  }
  EXPECT_EQ(tree.best_fit(1), nullptr);
}

}  // namespace
}  // namespace hakmem
