// The span allocator against a naive model, and several threads on it.
#include <sched.h>

#include <atomic>
#include <map>
#include <optional>
#include <random>
#include <thread>

#include "hakmem/os/lock.hpp"
#include "hakmem/os/memory.hpp"
#include "hakmem/os/system.hpp"
#include "spans_support.hpp"

namespace hakmem {
namespace {

// ---- the model ----------------------------------------------------------------------------------

// One arena that is never full: free spans by first region, and what each operation must do.
class Model {
 public:
  struct Free {
    std::size_t regions;
    bool dirty;
  };
  struct Answer {
    std::size_t region;
    bool zero;
  };

  explicit Model(std::size_t first_region) : first_(first_region) {}

  Answer allocate(std::size_t regions, std::size_t alignment) {
    for (const bool dirty : {true, false}) {
      const auto both = dirty || alignment != 1 ? std::nullopt : extend(regions);
      if (both) return {*both, false};
      for (const std::size_t size : {regions, regions + alignment - 1}) {
        const auto fit = best_fit(size, dirty);
        if (fit == free_.end()) break;
        const std::size_t at = aligned(fit->first, alignment);
        if (at + regions > fit->first + fit->second.regions) continue;
        cut(fit, at, regions);
        return {at, !dirty};
      }
    }
    const std::size_t at = aligned(frontier_, alignment);
    if (at > frontier_) give(frontier_, at - frontier_, false);
    frontier_ = at + regions;
    return {at, true};
  }

  void give(std::size_t at, std::size_t regions, bool dirty) {
    auto next = free_.find(at + regions);
    if (next != free_.end() && next->second.dirty == dirty) {
      regions += next->second.regions;
      free_.erase(next);
    }
    auto after = free_.lower_bound(at);
    if (after != free_.begin()) {
      const auto before = std::prev(after);
      if (before->first + before->second.regions == at && before->second.dirty == dirty) {
        at = before->first;
        regions += before->second.regions;
        free_.erase(before);
      }
    }
    free_[at] = {regions, dirty};
  }

  bool grow(std::size_t end, std::size_t missing) {
    std::size_t at = end;
    while (at < end + missing && at < frontier_) {
      const auto next = free_.find(at);
      if (next == free_.end()) return false;
      at += next->second.regions;
    }
    for (at = end; at < end + missing && at < frontier_;) {
      const auto next = free_.find(at);
      const std::size_t part = std::min(next->second.regions, end + missing - at);
      cut(next, at, part);
      at += part;
    }
    frontier_ = std::max(frontier_, end + missing);
    return true;
  }

  std::size_t purge_all() {
    std::vector<std::pair<std::size_t, std::size_t>> dirty;
    for (const auto& [at, span] : free_) {
      if (span.dirty) dirty.emplace_back(at, span.regions);
    }
    std::size_t purged = 0;
    for (const auto& [at, regions] : dirty) {
      free_.erase(at);
      give(at, regions, false);
      purged += regions;
    }
    return purged;
  }

  // The descriptors and the sums say what the model says: coalescing is complete.
  void compare() const {
    const Arena& arena = arenas[0];
    ASSERT_EQ(arena.frontier, frontier_);
    std::size_t dirty = 0;
    std::size_t all = 0;
    std::vector<bool> marked(frontier_);
    for (const auto& [at, span] : free_) {
      const Descriptor* head = arena.descriptor(at);
      ASSERT_TRUE(head->is_free) << at;
      ASSERT_EQ(head->regions, span.regions) << at;
      ASSERT_EQ(head->dirty, span.dirty) << at;
      ASSERT_TRUE(head[span.regions - 1].is_free);
      ASSERT_EQ(head[span.regions - 1].regions, span.regions);
      marked[at] = marked[at + span.regions - 1] = true;
      all += span.regions;
      dirty += span.dirty ? span.regions : 0;
    }
    for (std::size_t region = 0; region < frontier_; ++region) {
      ASSERT_EQ(arena.descriptor(region)->is_free, marked[region]) << region;
    }
    const SpanStatistics s = span_statistics();
    ASSERT_EQ(s.dirty, dirty << kRegionShift);
    ASSERT_EQ(s.clean, (all - dirty) << kRegionShift);
    ASSERT_EQ(s.used, (frontier_ - all) << kRegionShift);
  }

 private:
  using Place = std::map<std::size_t, Free>::iterator;

  // The largest dirty spans, with what is free behind, and as far as needed before.
  std::optional<std::size_t> extend(std::size_t regions) {
    std::vector<std::pair<std::size_t, std::size_t>> dirty;
    for (const auto& [at, span] : free_) {
      if (span.dirty && span.regions >= regions / 4) dirty.emplace_back(span.regions, at);
    }
    std::sort(dirty.rbegin(), dirty.rend());
    dirty.resize(std::min<std::size_t>(dirty.size(), 8));
    for (const auto& [size, start] : dirty) {
      std::size_t from = start;
      std::size_t to = start;
      while (to < start + regions && is_free(to)) ++to;
      while (to - from < regions && from > 0 && is_free(from - 1)) --from;
      if (to - from < regions) continue;
      for (std::size_t at = from; at < std::min(to, frontier_); ++at) cut(holder(at), at, 1);
      frontier_ = std::max(frontier_, to);
      return from;
    }
    return std::nullopt;
  }

  bool is_free(std::size_t region) { return region >= frontier_ || holder(region) != free_.end(); }

  Place holder(std::size_t region) {
    const auto after = free_.upper_bound(region);
    const auto span = after == free_.begin() ? free_.end() : std::prev(after);
    if (span == free_.end() || region < span->first + span->second.regions) return span;
    return free_.end();
  }

  std::size_t aligned(std::size_t region, std::size_t alignment) const {
    return (first_ + region + alignment - 1) / alignment * alignment - first_;
  }

  Place best_fit(std::size_t regions, bool dirty) {
    Place best = free_.end();
    for (Place i = free_.begin(); i != free_.end(); ++i) {
      if (i->second.dirty != dirty || i->second.regions < regions) continue;
      if (best == free_.end() || i->second.regions < best->second.regions) best = i;
    }
    return best;
  }

  void cut(Place span, std::size_t at, std::size_t regions) {
    const std::size_t start = span->first;
    const Free whole = span->second;
    free_.erase(span);
    if (at > start) free_[start] = {at - start, whole.dirty};
    const std::size_t rest = start + whole.regions - (at + regions);
    if (rest > 0) free_[at + regions] = {rest, whole.dirty};
  }

  std::size_t first_;
  std::size_t frontier_ = 0;
  std::map<std::size_t, Free> free_;
};

// No purge comes by itself.
const Environment kDirtyStays = {{"HAKMEM_ARENA_BYTES", "8G"},
                                 {"HAKMEM_PURGE_DELAY", "1000000000"},
                                 {"HAKMEM_DIRTY_LIMIT", "100G"},
                                 {"HAKMEM_DIRTY_SHARE", "10000"}};

class Walk {
 public:
  explicit Walk(unsigned seed)
      : random_(seed), model_(address_of(arenas[0].base) >> kRegionShift) {}

  void step() {
    switch (random_() % 16) {
      case 0:
        return split();
      case 1:
        return grow();
      case 2:
        if (random_() % 16 == 0) purge();
        return;
      default:
        return live_.size() < random_() % 60 ? allocate() : free();
    }
  }

  void end() {
    while (!live_.empty()) free();
    model_.compare();
    purge();
    model_.compare();
  }

  void compare() const { model_.compare(); }

 private:
  void allocate() {
    std::size_t regions = 1 + random_() % (random_() % 8 == 0 ? 60 : 6);
    const std::size_t alignment = 1ul << (random_() % 8 == 0 ? random_() % 7 : random_() % 4);
    if (random_() % 2 == 0) regions = alignment;  // as slabs are
    const Model::Answer expected = model_.allocate(regions, alignment);
    const Span span = span_allocate(regions, alignment);
    ASSERT_NE(span.head, nullptr);
    ASSERT_EQ(region_of(span.head), expected.region);
    ASSERT_EQ(span.zero, expected.zero);
    ASSERT_EQ(span.head->regions, regions);
    ASSERT_FALSE(span.head->is_free);
    ASSERT_EQ((address_of(memory_of(span.head)) >> kRegionShift) % alignment, 0u);
    if (span.zero) {
      ASSERT_TRUE(pattern::is_zero(memory_of(span.head), bytes_of(span.head)));
    }
    scribble(span.head);
    live_.push_back(span.head);
  }

  void free() {
    if (live_.empty()) return;
    Descriptor* span = pick();
    std::swap(*std::find(live_.begin(), live_.end(), span), live_.back());
    live_.pop_back();
    model_.give(region_of(span), span->regions, true);
    span_free(span);
  }

  void split() {
    if (live_.empty()) return;
    Descriptor* span = pick();
    const std::uint32_t total = span->regions;
    if (total == 1) return;
    const std::size_t kept = 1 + random_() % (total - 1);
    Descriptor* rest = span_split(span, kept);
    ASSERT_EQ(rest, span + kept);
    ASSERT_EQ(span->regions, kept);
    ASSERT_EQ(rest->regions, total - kept);
    ASSERT_FALSE(rest->is_free);
    live_.push_back(rest);
  }

  void grow() {
    if (live_.empty()) return;
    Descriptor* span = pick();
    const std::uint32_t before = span->regions;
    const std::size_t missing = 1 + random_() % 8;
    const bool expected = model_.grow(region_of(span) + before, missing);
    ASSERT_EQ(span_grow(span, before + missing), expected);
    ASSERT_EQ(span->regions, expected ? before + missing : before);
    scribble(span);
  }

  void purge() {
    if (!os_purges()) return;
    ASSERT_EQ(spans_purge_all(), model_.purge_all() << kRegionShift);
  }

  static bool os_purges() {
    const std::size_t bytes = os::page_size();
    void* p = os::reserve(bytes);
    const bool works = os::commit(p, bytes) && os::purge(p, bytes);
    os::release(p, bytes);
    return works;
  }

  Descriptor* pick() { return live_[random_() % live_.size()]; }

  std::mt19937 random_;
  Model model_;
  std::vector<Descriptor*> live_;
};

TEST(Spans, AgreeWithANaiveModel) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    in_child(
        [seed] {
          ASSERT_TRUE(arena_add(1));
          Walk walk(seed);
          for (int i = 0; i < share_of(3000); ++i) {
            walk.step();
            if (i % 16 == 0) walk.compare();
            if (testing::Test::HasFailure()) FAIL() << "seed " << seed << " step " << i;
          }
          walk.end();
        },
        kDirtyStays);
  }
}

TEST(Spans, LargeAlignments) {
  in_child(
      [] {
        std::vector<Descriptor*> spans;
        for (std::size_t alignment = 1; alignment <= kMaxAlignment >> kRegionShift;
             alignment *= 2) {
          const Span span = span_allocate(3, alignment);
          ASSERT_NE(span.head, nullptr) << alignment;
          EXPECT_EQ(address_of(memory_of(span.head)) % (alignment << kRegionShift), 0u);
          EXPECT_TRUE(span.zero);
          spans.push_back(span.head);
        }
        for (Descriptor* span : spans) span_free(span);
      },
      kDirtyStays);
}

TEST(Spans, ImpossibleRequests) {
  in_child(
      [] {
        EXPECT_EQ(span_allocate(0).head, nullptr);
        EXPECT_EQ(span_allocate(SIZE_MAX).head, nullptr);
        EXPECT_EQ(span_allocate(UINT32_MAX).head, nullptr);
        Descriptor* span = take(1);
        EXPECT_FALSE(span_grow(span, SIZE_MAX));
        EXPECT_FALSE(span_grow(span, arenas[0].regions + 1));
        EXPECT_EQ(span->regions, 1u);
      },
      kDirtyStays);
}

// ---- several arenas -----------------------------------------------------------------------------

TEST(Spans, AFurtherArenaComesWhenTheFirstIsFull) {
  in_child(
      [] {
        std::vector<Descriptor*> spans;
        while (arena_count.load() < 3) spans.push_back(take(7));
        EXPECT_EQ(spans.back()->arena, 2);
        EXPECT_TRUE(std::any_of(spans.begin(), spans.end(), [](auto* s) { return s->arena == 1; }));
        // What is larger than the arenas gets one of its own.
        Descriptor* large = take(20 * arenas[0].regions);
        EXPECT_EQ(large->arena, 3);
        for (Descriptor* span : spans) span_free(span);
        span_free(large);
        EXPECT_EQ(span_statistics().used, 0u);
      },
      {{"HAKMEM_ARENA_BYTES", "4M"}, {"HAKMEM_DIRTY_LIMIT", "100G"}});
}

// Before an arena is called full, what waits to be purged is purged and merges.
TEST(Spans, ExhaustionPurgesAndMergesFirst) {
  in_child(
      [] {
        std::vector<Descriptor*> spans;
        const std::size_t regions = 64;
        for (std::size_t i = 0; i < regions; ++i) spans.push_back(take(1));
        ASSERT_EQ(arenas[0].regions, regions);
        ASSERT_EQ(arena_count.load(), 1u);
        // Free regions of both kinds alternate: neither kind alone has two in a row.
        for (std::size_t i = 0; i < regions; i += 2) span_free(spans[i]);
        spans_purge_all();
        for (std::size_t i = 1; i < regions; i += 2) span_free(spans[i]);
        const Span all = span_allocate(regions);
        ASSERT_NE(all.head, nullptr);
        EXPECT_EQ(arena_count.load(), 1u);
        EXPECT_TRUE(pattern::is_zero(memory_of(all.head), bytes_of(all.head)) || !all.zero);
#ifdef __x86_64__
        EXPECT_TRUE(all.zero);
#endif
      },
      {{"HAKMEM_ARENA_BYTES", "4M"}, {"HAKMEM_DIRTY_LIMIT", "100G"}});
}

// A request that fails leaves nothing behind: address space is not eaten by trying again.
#ifdef __x86_64__  // an emulator keeps books about terabytes for minutes
TEST(Spans, AFailedRequestReservesNothing) {
  in_child(
      [] {
        Descriptor* span = take(1);
        const std::size_t huge = std::size_t{1} << (43 - kRegionShift);  // 8 TiB
        std::vector<Descriptor*> had;
        std::size_t mapped = 0;
        int failures = 0;
        for (int i = 0; i < 6; ++i) {
          const std::size_t before = span_statistics().mapped;
          Descriptor* head = span_allocate(huge).head;
          if (head != nullptr) {  // the system overcommits without a bound
            had.push_back(head);
            continue;
          }
          ++failures;
          mapped += span_statistics().mapped - before;
        }
        EXPECT_EQ(mapped, 0u) << failures << " failures";
        for (Descriptor* head : had) span_free(head);
        span_free(span);
      },
      {{"HAKMEM_ARENA_BYTES", "64M"}, {"HAKMEM_DIRTY_LIMIT", "100000G"}});
}

#endif

TEST(Spans, SurviveFailingCalls) {
  for (std::uint64_t n = 1; n <= 20; n += test_share()) {
    in_child(
        [n] {
          os::fail_memory_call(n);
          int failed = 0;
          std::vector<Descriptor*> spans;
          for (int i = 0; i < 80; ++i) {
            const Span span = span_allocate(1 + i % 9, 1 + i % 2);
            if (span.head == nullptr) {
              ++failed;
              continue;
            }
            if (span.zero) {
              ASSERT_TRUE(pattern::is_zero(memory_of(span.head), bytes_of(span.head)));
            }
            scribble(span.head);
            spans.push_back(span.head);
            if (i % 3 == 0) {
              span_free(spans[spans.size() / 2]);
              spans.erase(spans.begin() + static_cast<std::ptrdiff_t>(spans.size() / 2));
            }
            if (i % 20 == 0) spans_purge_all();
          }
          EXPECT_LE(failed, 1);
          for (Descriptor* span : spans) span_free(span);
          EXPECT_EQ(span_statistics().used, 0u);
        },
        {{"HAKMEM_ARENA_BYTES", "4M"}, {"HAKMEM_COMMIT_STEP", "64K"}});
  }
}

// ---- threads ------------------------------------------------------------------------------------

TEST(SpansConcurrent, NoTwoThreadsHaveTheSameRegion) {
  in_child(
      [] {
        std::vector<std::thread> threads;
        for (unsigned t = 1; t <= 4; ++t) {
          threads.emplace_back([t] {
            std::mt19937 random(t);
            std::vector<Descriptor*> mine;
            const auto stamp = [t](Descriptor* span, std::uint64_t expected) {
              for (std::size_t i = 0; i < span->regions; ++i) {
                auto& word =
                    *reinterpret_cast<std::uint64_t*>(memory_of(span) + (i << kRegionShift));
                if (expected != 0) {
                  ASSERT_EQ(word, expected);
                }
                word = t;
              }
            };
            for (int i = 0; i < 1500; ++i) {
              if (mine.size() < random() % 20) {
                const Span span = span_allocate(1 + random() % 5, std::size_t{1} << random() % 3);
                ASSERT_NE(span.head, nullptr);
                if (span.zero) {
                  ASSERT_TRUE(pattern::is_zero(memory_of(span.head), 4096));
                }
                stamp(span.head, 0);
                mine.push_back(span.head);
              } else if (!mine.empty()) {
                std::swap(mine[random() % mine.size()], mine.back());
                stamp(mine.back(), t);
                span_free(mine.back());
                mine.pop_back();
              }
              if (random() % 64 == 0) spans_purge_all();
              spans_tick(os::coarse_milliseconds());
            }
            for (Descriptor* span : mine) {
              stamp(span, t);
              span_free(span);
            }
          });
        }
        for (std::thread& thread : threads) thread.join();
        EXPECT_EQ(span_statistics().used, 0u);
      },
      {{"HAKMEM_PURGE_DELAY", "2"}, {"HAKMEM_DIRTY_LIMIT", "1M"}, {"HAKMEM_ARENA_BYTES", "1G"}});
}

}  // namespace
}  // namespace hakmem
