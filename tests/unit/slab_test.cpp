// Slabs of every class: carve, take, return, and what ends the program.
#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "child.hpp"
#include "slab_support.hpp"

namespace hakmem {
namespace {

// The index of an object, which must be an object of the slab.
unsigned index_of(const Descriptor* slab, const void* p) {
  const SizeClass& k = class_of(slab);
  const std::size_t offset = address_of(p) - address_of(memory_of(slab)) - slab->start;
  EXPECT_EQ(offset % k.size, 0u);
  EXPECT_LT(offset / k.size, k.capacity);
  return static_cast<unsigned>(offset / k.size);
}

// Outside bitmaps have a summary: it names exactly the words that are not zero.
void expect_summary_true(const Descriptor* slab) {
  const SizeClass& k = class_of(slab);
  if (k.words <= kInlineWords) return;
  const auto* words = reinterpret_cast<const std::uint64_t*>(arenas[slab->arena].local_bits.base) +
                      region_of(slab) * kMaxWords;
  std::uint64_t expected = 0;
  for (unsigned w = 0; w < k.words; ++w) {
    if (words[w] != 0) expected |= std::uint64_t{1} << w;
  }
  ASSERT_EQ(slab->slab.summary, expected);
}

TEST(Slab, NewSlabsOfEveryClassAndColour) {
  in_child([] {
    for (const SizeClass& k : kSizeClasses) {
      const unsigned colours = k.colours(k.regions);
      for (const unsigned colour : {0u, 1u, colours - 1, colours, colours + 7}) {
        Descriptor* slab = make_slab(k, colour);
        EXPECT_FALSE(slab->is_free);
        EXPECT_EQ(slab->owner.load(), kOwner);
        EXPECT_EQ(slab->start, colour % colours * kCacheLine);
        EXPECT_EQ(class_of(slab).slot, k.slot);
        EXPECT_EQ(slab_available(slab), k.capacity);
        EXPECT_TRUE(slab_is_empty(slab));
        for (unsigned i = 0; i < k.regions; ++i) {
          EXPECT_EQ(region_id_of(memory_of(slab) + i * kRegionBytes),
                    tag_of_owner(kOwner) | k.slot);
        }
        slab_destroy(slab);
        EXPECT_EQ(slab->owner.load(), 0u);
        for (unsigned i = 0; i < k.regions; ++i) {
          EXPECT_EQ(region_id_of(memory_of(slab) + i * kRegionBytes), kRegionUnused);
        }
        span_free(slab);
      }
    }
  });
}

TEST(Slab, CarveGivesAscendingObjectsOnceEach) {
  in_child([] {
    std::mt19937 random(1);
    for (const SizeClass& k : kSizeClasses) {
      Descriptor* slab = make_slab(k, k.colours(k.regions) - 1u);
      unsigned carved = 0;
      while (carved < k.capacity) {
        const unsigned wanted = 1 + random() % 100;
        const std::vector<void*> batch = popped(slab_carve, slab, wanted);
        ASSERT_EQ(batch.size(), std::min<std::size_t>(wanted, k.capacity - carved));
        for (void* p : batch) {
          ASSERT_EQ(index_of(slab, p), carved++);
          ASSERT_EQ(address_of(p) % kMinAlignment, 0u);
          if (k.colours(k.regions) == 1 && &k >= &kSizeClasses[kOrdinaryClasses]) {
            ASSERT_EQ(address_of(p) % k.size, 0u);
          }
          const char* end = static_cast<char*>(p) + k.size;
          ASSERT_LE(end, memory_of(slab) + k.regions * kRegionBytes);
          ASSERT_EQ(slab_of(p, region_id_of(p)), slab);
          ASSERT_EQ(slab_of(end - 1, region_id_of(end - 1)), slab);
          ASSERT_EQ(slab_index_checked(slab, p), carved - 1);
        }
      }
      EXPECT_EQ(slab_available(slab), 0u);
      EXPECT_FALSE(slab_is_empty(slab));
      EXPECT_TRUE(popped(slab_carve, slab, 5).empty());
      EXPECT_TRUE(popped(slab_take, slab, 5).empty());
      retire(slab, k.capacity);
    }
  });
}

// Random carving, taking and returning against a set of free indexes.
TEST(Slab, AgreesWithASetOfIndexes) {
  in_child([] {
    std::mt19937 random(2);
    for (const SizeClass& k : kSizeClasses) {
      Descriptor* slab = make_slab(k, 3);
      std::set<unsigned> free;
      std::vector<void*> live;
      unsigned frontier = 0;
      for (int step = 0; step < 300; ++step) {
        const unsigned count = 1 + random() % (k.capacity / 2);
        if (random() % 2 == 0) {
          for (unsigned i = 0; i < count && !live.empty(); ++i) {
            std::swap(live[random() % live.size()], live.back());
            const unsigned index = index_of(slab, live.back());
            give_back(slab, live.back());
            ASSERT_TRUE(free.insert(index).second);
            live.pop_back();
          }
        } else if (random() % 3 == 0) {
          for (void* p : popped(slab_carve, slab, count)) {
            ASSERT_EQ(index_of(slab, p), frontier++);
            live.push_back(p);
          }
        } else {
          const std::vector<void*> batch = popped(slab_take, slab, count);
          ASSERT_EQ(batch.size(), std::min<std::size_t>(count, free.size()));
          for (void* p : batch) {
            ASSERT_EQ(index_of(slab, p), *free.begin());  // the lowest first
            free.erase(free.begin());
            live.push_back(p);
          }
        }
        expect_summary_true(slab);
        ASSERT_EQ(slab->slab.free, free.size());
        ASSERT_EQ(slab->slab.frontier, frontier);
        ASSERT_EQ(slab_available(slab), free.size() + k.capacity - frontier);
        ASSERT_EQ(slab_is_empty(slab), live.empty());
      }
      for (void* p : live) give_back(slab, p);
      ASSERT_TRUE(slab_is_empty(slab));
      slab_destroy(slab);
      span_free(slab);
    }
  });
}

// A run ends where the objects of another slab begin.
TEST(Slab, RunsReturnAtOnce) {
  in_child([] {
    std::mt19937 random(4);
    for (const SizeClass& k : kSizeClasses) {
      Descriptor* slabs[2] = {make_slab(k, 0), make_slab(k, 1)};
      std::vector<void*> objects;
      for (Descriptor* slab : slabs) {
        for (void* p : popped(slab_carve, slab, k.capacity)) objects.push_back(p);
      }
      std::shuffle(objects.begin(), objects.end(), random);
      const auto owner_of_object = [](const void* p) { return slab_of(p, region_id_of(p)); };
      for (std::size_t i = 0; i < objects.size();) {
        Descriptor* slab = owner_of_object(objects[i]);
        const std::size_t most = std::min<std::size_t>(objects.size() - i, 1 + random() % 8);
        std::size_t run = 1;
        while (run < most && owner_of_object(objects[i + run]) == slab) ++run;
        const unsigned free = slab->slab.free;
        ASSERT_EQ(slab_return_run(slab, &objects[i], static_cast<unsigned>(most)), run);
        ASSERT_EQ(slab->slab.free, free + run);
        expect_summary_true(slab);
        i += run;
      }
      for (Descriptor* slab : slabs) {
        ASSERT_TRUE(slab_is_empty(slab));
        slab_destroy(slab);
        span_free(slab);
      }
    }
  });
}

TEST(Slab, WordsReturnAtOnce) {
  in_child([] {
    std::mt19937_64 random(3);
    for (const SizeClass& k : kSizeClasses) {
      Descriptor* slab = make_slab(k, 0);
      const std::vector<void*> all = popped(slab_carve, slab, k.capacity);
      std::size_t returned = 0;
      for (unsigned w = 0; w < k.words; ++w) {
        const unsigned bits = std::min(64u, k.capacity - w * 64u);
        const std::uint64_t whole = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
        const std::uint64_t some = random() & whole;
        slab_return_word(slab, w, some != 0 ? some : 1);
        if ((whole & ~(some != 0 ? some : 1)) != 0) {
          slab_return_word(slab, w, whole & ~(some != 0 ? some : 1));
        }
        returned += bits;
        ASSERT_EQ(slab->slab.free, returned);
        expect_summary_true(slab);
      }
      ASSERT_TRUE(slab_is_empty(slab));
      ASSERT_EQ(popped(slab_take, slab, k.capacity), all);
      retire(slab, k.capacity);
    }
  });
}

// A slab on the descriptor of an earlier one starts clean, whichever classes the two have.
TEST(Slab, NothingIsInherited) {
  in_child([] {
    for (const SizeClass& first : kSizeClasses) {
      for (const SizeClass& second : kSizeClasses) {
        if (first.regions != second.regions) continue;
        Descriptor* slab = make_slab(first, 1);
        static_cast<void>(popped(slab_carve, slab, first.capacity));
        retire(slab, first.capacity);
        Descriptor* next = make_slab(second, 2);
        ASSERT_EQ(next, slab);  // the span was used again
        ASSERT_TRUE(popped(slab_take, next, 1).empty());
        ASSERT_EQ(popped(slab_carve, next, 1).size(), 1u);
        retire(next, 1);
      }
    }
  });
}

TEST(Slab, NoSlabWhereThereIsNone) {
  in_child([] {
    Descriptor* slab = make_slab(kSizeClasses[0], 0);
    char* p = memory_of(slab);
    EXPECT_EQ(slab_of(p, region_id_of(p)), slab);
    for (const RegionId id : {kRegionUnused, kRegionLarge, kRegionInterior,
                              tag_of_owner(kOwner) | kSlots, tag_of_owner(kOwner) | 255u}) {
      EXPECT_DEATH(slab_of(p, id), "invalid pointer, into memory that is free: 0x") << id;
    }
  });
}

// ---- what ends the program: for a class with an inline and one with an outside bitmap -----------

class SlabFault : public testing::TestWithParam<unsigned> {
 protected:
  static const SizeClass& size_class() { return kSizeClasses[GetParam()]; }
  static std::string object() { return " (" + std::to_string(size_class().size) + "-byte object)"; }

  // The slab's first ten objects.
  static Descriptor* slab_of_ten(std::vector<void*>& objects) {
    Descriptor* slab = make_slab(size_class(), size_class().colours(size_class().regions) - 1u);
    objects = popped(slab_carve, slab, 10);
    return slab;
  }
};

TEST_P(SlabFault, DoubleFree) {
  expect_fatal("double free of 0x", [] {
    std::vector<void*> objects;
    Descriptor* slab = slab_of_ten(objects);
    give_back(slab, objects[4]);
    give_back(slab, objects[5]);
    give_back(slab, objects[4]);
  });
}

TEST_P(SlabFault, DoubleFreeInAWord) {
  const Outcome o = run_in_child([] {
    std::vector<void*> objects;
    Descriptor* slab = slab_of_ten(objects);
    give_back(slab, objects[4]);
    slab_return_word(slab, 0, 0b110010);
  });
  EXPECT_TRUE(o.aborted());
  ASSERT_EQ(o.messages().size(), 1u);
  EXPECT_TRUE(o.messages()[0].starts_with("hakmem: double free of 0x"));
  EXPECT_TRUE(o.messages()[0].ends_with(object())) << o.messages()[0];
}

TEST_P(SlabFault, NeverAllocated) {
  expect_fatal("invalid pointer, never allocated: 0x", [] {
    std::vector<void*> objects;
    Descriptor* slab = slab_of_ten(objects);
    give_back(slab, static_cast<char*>(objects[9]) + size_class().size);
  });
  expect_fatal("invalid pointer, never allocated: 0x", [] {
    std::vector<void*> objects;
    slab_return_word(slab_of_ten(objects), 0, 0b11000000000);
  });
}

// Every byte of the slab that is not the start of an object. One child tries the first and the last
// bytes of some objects; the arithmetic itself is proved for every offset in SizeClasses.
TEST_P(SlabFault, IntoTheMiddle) {
  const unsigned size = size_class().size;
  for (const unsigned offset : {1u, size / 2, size - 1, 3 * size + 1, 9 * size - 1}) {
    expect_fatal("invalid pointer, into the middle of an object: 0x", [offset] {
      std::vector<void*> objects;
      Descriptor* slab = slab_of_ten(objects);
      slab_index_checked(slab, static_cast<char*>(objects[0]) + offset);
    });
  }
}

TEST_P(SlabFault, BeforeTheFirstAndBehindTheLast) {
  if (size_class().colours(size_class().regions) > 1) {
    expect_fatal("invalid pointer, into the middle of an object: 0x", [] {
      std::vector<void*> objects;
      Descriptor* slab = slab_of_ten(objects);
      slab_index_checked(slab, memory_of(slab));
    });
  }
  const std::size_t room = size_class().regions * kRegionBytes;
  if (std::size_t{size_class().capacity + 1u} * size_class().size > room) return;
  expect_fatal("invalid pointer, never allocated: 0x", [] {
    Descriptor* slab = make_slab(size_class(), 0);
    slab_index_checked(slab,
                       memory_of(slab) + std::size_t{size_class().capacity} * size_class().size);
  });
}

INSTANTIATE_TEST_SUITE_P(Classes, SlabFault, testing::Values(0u, 8u, 17u, 25u, 39u, 40u, 48u));

}  // namespace
}  // namespace hakmem
