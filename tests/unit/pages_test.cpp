// The pages of a slab against a model: which of them are given back, what refill does with them,
// and that live objects never notice.
#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "child.hpp"
#include "hakmem/os/memory.hpp"
#include "hakmem/slab/pages.hpp"
#include "slab_support.hpp"
#include "spans_support.hpp"

namespace hakmem {
namespace {

// A slab, its live objects, and which of its pages must be given back.
class Model {
 public:
  Model(const SizeClass& k, unsigned colour)
      : slab_(make_slab(k, colour)), k_(k), given_(k.regions * kRegionBytes / os::page_size()) {}

  Descriptor* slab() const { return slab_; }
  std::size_t live() const { return live_.size(); }

  void carve(unsigned count) { add(popped(slab_carve, slab_, count)); }

  // Objects that touch no page which was given back come first.
  void take(unsigned count) {
    const std::size_t resident = static_cast<std::size_t>(
        std::count_if(free_.begin(), free_.end(), [&](void* p) { return !touches_given(p); }));
    const std::vector<void*> batch = popped(slab_take, slab_, count);
    ASSERT_EQ(batch.size(), std::min<std::size_t>(count, free_.size()));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      ASSERT_EQ(free_.erase(batch[i]), 1u);
      // Of those behind, one may lie on a page that one before made resident.
      ASSERT_TRUE(i >= resident || !touches_given(batch[i])) << i;
    }
    add(batch);
  }

  void give_back_at_random(unsigned count, std::mt19937& random) {
    for (; count > 0 && !live_.empty(); --count) {
      auto it = live_.lower_bound(memory_of(slab_) + random() % (k_.regions * kRegionBytes));
      if (it == live_.end()) it = live_.begin();
      check(it->first, it->second);
      give_back(slab_, it->first);
      free_.insert(it->first);
      live_.erase(it);
    }
  }

  // A run of neighbours.
  void give_back_run(unsigned count, std::mt19937& random) {
    auto it = live_.lower_bound(memory_of(slab_) + random() % (k_.regions * kRegionBytes));
    for (; count > 0 && it != live_.end(); --count) {
      give_back(slab_, it->first);
      free_.insert(it->first);
      it = live_.erase(it);
    }
  }

  void punch() {
    std::vector<bool> needed(given_.size());
    for (const auto& [p, seed] : live_) {
      for (const std::size_t page : pages_of(p)) needed[page] = true;
    }
    std::size_t fresh = 0;
    for (std::size_t page = 0; page < given_.size(); ++page) {
      if (needed[page] || given_[page]) continue;
      given_[page] = true;
      ++fresh;
    }
    ASSERT_EQ(slab_give_back(slab_), fresh * os::page_size());
    for (std::size_t page = 0; page < given_.size(); ++page) {
      if (!given_[page]) continue;
      ASSERT_TRUE(pattern::is_zero(memory_of(slab_) + page * os::page_size(), os::page_size()));
    }
    const std::uint64_t calls = os::memory_calls();
    ASSERT_EQ(slab_give_back(slab_), 0u);  // nothing more to do
    ASSERT_EQ(os::memory_calls(), calls);
  }

  void check_all() {
    for (const auto& [p, seed] : live_) check(p, seed);
    const auto pages = static_cast<std::size_t>(std::count(given_.begin(), given_.end(), true));
    ASSERT_EQ(bytes_given_back.load(), pages * os::page_size());
    for (std::size_t page = 0; page < given_.size(); ++page)
      ASSERT_EQ(is_marked(page), given_[page]);
  }

  void end() {
    for (const auto& [p, seed] : live_) give_back(slab_, p);
    ASSERT_TRUE(slab_is_empty(slab_));
    slab_destroy(slab_);
    span_free(slab_);
    ASSERT_EQ(bytes_given_back.load(), 0u);
  }

 private:
  std::vector<std::size_t> pages_of(const void* p) const {
    const std::size_t offset = address_of(p) - address_of(memory_of(slab_));
    std::vector<std::size_t> pages;
    for (std::size_t page = offset / os::page_size();
         page <= (offset + k_.size - 1) / os::page_size(); ++page) {
      pages.push_back(page);
    }
    return pages;
  }

  bool touches_given(const void* p) const {
    const std::vector<std::size_t> pages = pages_of(p);
    return std::any_of(pages.begin(), pages.end(), [&](std::size_t page) { return given_[page]; });
  }

  bool is_marked(std::size_t page) const {
    const std::size_t each = kRegionBytes / os::page_size();
    return (slab_[page / each].slab.given >> page % each & 1) != 0;
  }

  void add(const std::vector<void*>& objects) {
    for (void* p : objects) {
      const int seed = ++seeds_ % 255 + 1;
      std::memset(p, seed, k_.size);
      ASSERT_TRUE(live_.emplace(static_cast<char*>(p), seed).second);
      for (const std::size_t page : pages_of(p)) given_[page] = false;
    }
  }

  void check(const char* p, int seed) const {
    for (const std::size_t at :
         {std::size_t{0}, k_.size / std::size_t{2}, k_.size - std::size_t{1}}) {
      ASSERT_EQ(static_cast<unsigned char>(p[at]), seed);
    }
  }

  Descriptor* slab_;
  const SizeClass& k_;
  std::vector<bool> given_;
  std::map<char*, int> live_;
  std::set<void*> free_;
  int seeds_ = 0;
};

#ifdef __x86_64__  // emulators may ignore the advice to purge

TEST(Pages, AgreeWithAModel) {
  in_child([] {
    std::mt19937 random(11);
    for (const SizeClass& k : kSizeClasses) {
      Model model(k, random());
      for (int step = 0; step < 60 && !testing::Test::HasFailure(); ++step) {
        const unsigned some = 1 + random() % (k.capacity / 2);
        switch (random() % 6) {
          case 0:
            model.carve(some);
            break;
          case 1:
            model.take(some);
            break;
          case 2:
            model.take(1 + random() % 8);
            break;
          case 3:
            model.give_back_at_random(some, random);
            break;
          case 4:
            model.give_back_run(2 * some, random);
            break;
          default:
            model.punch();
        }
        model.check_all();
      }
      model.end();
    }
  });
}

// Another slab on the same regions starts with all pages resident.
TEST(Pages, NothingIsInherited) {
  in_child([] {
    for (const SizeClass& k : kSizeClasses) {
      std::mt19937 random(12);
      Model first(k, 0);
      first.carve(k.capacity);
      first.give_back_at_random(k.capacity, random);
      first.punch();
      first.check_all();
      Descriptor* const slab = first.slab();
      first.end();
      Model second(k, 1);
      ASSERT_EQ(second.slab(), slab);
      second.check_all();
      second.carve(1);
      second.end();
    }
  });
}

TEST(Pages, WhatTheSystemRefusesIsNotAskedForAgain) {
  in_child([] {
    const SizeClass& k = kSizeClasses[25];
    Descriptor* slab = make_slab(k, 0);
    const std::vector<void*> objects = popped(slab_carve, slab, k.capacity);
    for (void* p : objects) std::memset(p, 7, k.size);
    for (void* p : objects) {
      if (p != objects[0]) give_back(slab, p);
    }
    static_cast<void>(
        os::purge(memory_of(make_slab(k, 0)), kRegionBytes));  // its self-test is over
    os::fail_memory_call(1);
    EXPECT_EQ(slab_give_back(slab), 0u);
    EXPECT_EQ(bytes_given_back.load(), 0u);
    const std::uint64_t calls = os::memory_calls();
    EXPECT_EQ(slab_give_back(slab), 0u);
    EXPECT_EQ(os::memory_calls(), calls);
    for (void* p : objects) EXPECT_EQ(*static_cast<char*>(p), 7);
    EXPECT_EQ(popped(slab_take, slab, 1), std::vector<void*>{objects[1]});
    EXPECT_EQ(slab_give_back(slab), 0u);  // for the slab's life
    give_back(slab, objects[0]);
    give_back(slab, objects[1]);
    slab_destroy(slab);
    span_free(slab);
    slab = make_slab(k, 0);
    static_cast<void>(popped(slab_carve, slab, 1));
    EXPECT_GT(slab_give_back(slab), 0u);  // a new life, a new offer
  });
}

#endif

}  // namespace
}  // namespace hakmem
