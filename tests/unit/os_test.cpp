// os/: pages, limits, the injected failure.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "child.hpp"
#include "hakmem/base/bits.hpp"
#include "hakmem/os/memory.hpp"
#include "hakmem/os/system.hpp"
#include "probe.hpp"
#include "support/pattern.hpp"

namespace hakmem::os {
namespace {

std::size_t expected_page_size() {
  const char* injected = getenv("HAKMEM_PAGE_SIZE");
  return injected != nullptr ? std::strtoull(injected, nullptr, 10)
                             : static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST(PageSize, AskedForOrInjected) {
  in_child([] { EXPECT_EQ(page_size(), expected_page_size()); });
}

TEST(PageSize, OnlyLargerPowersOfTwoAreInjected) {
  in_child([] {
    const std::size_t before = page_size();
    for (const std::size_t wrong : {std::size_t{0}, std::size_t{1}, before / 2, before + 1,
                                    3 * before, std::size_t{131072}, SIZE_MAX}) {
      inject_page_size(wrong);
      EXPECT_EQ(page_size(), before) << wrong;
    }
    inject_page_size(65536);
    EXPECT_EQ(page_size(), 65536u);
  });
}

TEST(Memory, ReservedHasNoAccessUntilCommitted) {
  in_child([] {
    const std::size_t page = page_size();
    auto* p = static_cast<char*>(reserve(4 * page));
    ASSERT_NE(p, nullptr);
    EXPECT_FALSE(is_readable(p));
    ASSERT_TRUE(commit(p + page, page));
    ASSERT_TRUE(make_readable(p + 2 * page, page));
    EXPECT_FALSE(is_readable(p + page - 1));
    EXPECT_TRUE(is_writable(p + page));
    EXPECT_TRUE(is_writable(p + 2 * page - 1));
    EXPECT_TRUE(is_readable(p + 2 * page));
    EXPECT_FALSE(is_writable(p + 2 * page));
    EXPECT_FALSE(is_readable(p + 3 * page));
    EXPECT_TRUE(pattern::all_are(p + page, 2 * page, 0));
    ASSERT_TRUE(make_readable(p + page, page));
    EXPECT_TRUE(is_readable(p + page));
    EXPECT_FALSE(is_writable(p + page));
    release(p, 4 * page);
    EXPECT_FALSE(is_readable(p + page));
  });
}

TEST(Memory, PurgedReadsAsZeroOrIsAsBefore) {
  in_child([] {
    const std::size_t bytes = 8 * page_size();
    auto* p = static_cast<char*>(reserve(bytes));
    ASSERT_TRUE(commit(p, bytes));
    std::memset(p, 'x', bytes);
    const std::size_t middle = bytes / 2;
    const bool gone = purge(p + middle, bytes - middle);
#ifdef __x86_64__
    EXPECT_TRUE(gone);  // emulators may say no
#endif
    EXPECT_TRUE(pattern::all_are(p, middle, 'x'));
    EXPECT_TRUE(pattern::all_are(p + middle, bytes - middle, gone ? 0 : 'x'));
    std::memset(p, 'y', bytes);
    EXPECT_TRUE(pattern::all_are(p, bytes, 'y'));
  });
}

TEST(Memory, LockedPagesArePurgedTooOrStay) {
  in_child([] {
    const std::size_t bytes = page_size();
    auto* p = static_cast<char*>(reserve(bytes));
    ASSERT_TRUE(commit(p, bytes));
    std::memset(p, 'x', bytes);
    ASSERT_EQ(mlock(p, bytes), 0);
    errno = 0;
    const bool gone = purge(p, bytes);
    EXPECT_EQ(errno, 0);
    EXPECT_TRUE(pattern::all_are(p, bytes, gone ? 0 : 'x'));
  });
}

TEST(Memory, MovedOutIsThereAndZeroHere) {
  in_child([] {
    const std::size_t page = page_size();
    auto* p = static_cast<char*>(reserve(6 * page));
    ASSERT_TRUE(commit(p, 6 * page));
    std::memset(p, 'x', 6 * page);
    for (int round = 0; round < 3; ++round) {
      auto* moved = static_cast<char*>(move_out(p + page, 4 * page));
#ifdef __x86_64__
      ASSERT_NE(moved, nullptr);  // emulators may say no
#endif
      EXPECT_TRUE(pattern::all_are(p, page, 'x'));
      EXPECT_TRUE(pattern::all_are(p + page, 4 * page, moved != nullptr ? 0 : 'x'));
      EXPECT_TRUE(pattern::all_are(p + 5 * page, page, 'x'));
      if (moved != nullptr) {
        EXPECT_TRUE(pattern::all_are(moved, 4 * page, 'x'));
        release(moved, 4 * page);
      }
      std::memset(p + page, 'x', 4 * page);
    }
  });
}

TEST(Memory, WhatCannotBeMovedOutStays) {
  in_child([] {
    const std::size_t page = page_size();
    auto* p = static_cast<char*>(map(8 * page));
    std::memset(p, 'x', 8 * page);
    errno = 77;
    ASSERT_TRUE(make_readable(p + 3 * page, page));  // several mappings
    EXPECT_EQ(move_out(p, 8 * page), nullptr);
    EXPECT_EQ(errno, 77);
    if (syscall(SYS_mlock, p + 4 * page, page) == 0) {  // sanitizers do nothing for mlock
      EXPECT_EQ(move_out(p + 4 * page, page), nullptr);
      EXPECT_NE(madvise(p + 4 * page, page, MADV_DONTNEED), 0);  // locked still
    }
    EXPECT_TRUE(pattern::all_are(p, 8 * page, 'x'));
  });
}

TEST(Memory, RemappedKeepsItsContent) {
  in_child([] {
    const std::size_t page = page_size();
    auto* p = static_cast<char*>(map(2 * page));
    ASSERT_NE(p, nullptr);
    EXPECT_TRUE(pattern::all_are(p, 2 * page, 0));
    std::memset(p, 'x', 2 * page);
    p = static_cast<char*>(remap(p, 2 * page, 100 * page));
    ASSERT_NE(p, nullptr);
    EXPECT_TRUE(pattern::all_are(p, 2 * page, 'x'));
    EXPECT_TRUE(pattern::all_are(p + 2 * page, 98 * page, 0));
    release(p + page, 99 * page);
    EXPECT_FALSE(is_readable(p + page));
    EXPECT_EQ(remap(p, page, std::size_t{1} << 62), nullptr);
    EXPECT_TRUE(pattern::all_are(p, page, 'x'));
    release(p, page);
  });
}

TEST(Memory, ResidentPagesAreSeen) {
  in_child([] {
    const std::size_t bytes = std::size_t{4} << 20;
    auto* p = static_cast<char*>(map(bytes));
    advise(p, bytes, Advice::no_huge_pages);
#ifdef __x86_64__
    EXPECT_FALSE(mostly_resident(p, bytes));
#endif
    std::memset(p, 'x', bytes);
    EXPECT_TRUE(mostly_resident(p, bytes));
    EXPECT_TRUE(mostly_resident(p, page_size()));  // too little to judge by
  });
}

TEST(Memory, ErrnoIsKeptByFailures) {
  in_child([] {
    const std::size_t page = page_size();
    errno = 77;
    EXPECT_EQ(reserve(std::size_t{1} << 62), nullptr);
    EXPECT_EQ(errno, 77);
    void* p = reserve(page);
    release(p, page);
    EXPECT_FALSE(commit(p, page));
    EXPECT_FALSE(make_readable(p, page));
#ifdef __x86_64__  // emulators may accept what they do not do
    EXPECT_FALSE(purge(p, page));
#endif
    advise(p, page, Advice::no_huge_pages);
    EXPECT_EQ(errno, 77);
  });
}

// Every call that can fail, n-th in a row of calls, fails when the n-th is to fail, and no other.
TEST(InjectedFailure, HitsTheNthCallOnly) {
  in_child([] {
    const std::size_t page = page_size();
    auto* p = static_cast<char*>(reserve(page));
    ASSERT_TRUE(commit(p, page));
    static_cast<void>(purge(p, page));  // the self-test of purge makes calls of its own
    const bool purges = purge(p, page);
    constexpr unsigned kCalls = 12;
    for (unsigned n = 0; n <= kCalls; ++n) {
      fail_memory_call(n);
      for (unsigned call = 1; call <= kCalls; ++call) {
        bool ok = false;
        switch (call % 4) {
          case 0:
            ok = commit(p, page);
            break;
          case 1:
            ok = make_readable(p, page);
            break;
          case 2:
            ok = purge(p, page) || !purges;
            break;
          default:
            void* q = reserve(page);
            ok = q != nullptr;
            if (ok) release(q, page);
        }
        EXPECT_EQ(ok, call != n || (call % 4 == 2 && !purges)) << call << " of " << n;
      }
    }
  });
}

TEST(Memory, EachCallIsCountedOnce) {
  in_child([] {
    const std::size_t page = page_size();
    auto* p = static_cast<char*>(reserve(page));
    ASSERT_TRUE(commit(p, page));
    static_cast<void>(purge(p, page));
    const auto calls_of = [](auto action) {
      const std::uint64_t before = memory_calls();
      action();
      return memory_calls() - before;
    };
    void* q = nullptr;
    EXPECT_EQ(calls_of([&] { q = reserve(page); }), 1u);
    EXPECT_EQ(calls_of([&] { release(q, page); }), 1u);
    EXPECT_EQ(calls_of([&] { static_cast<void>(make_readable(p, page)); }), 1u);
    EXPECT_EQ(calls_of([&] { static_cast<void>(commit(p, page)); }), 1u);
    EXPECT_EQ(calls_of([&] { advise(p, page, Advice::no_huge_pages); }), 1u);
#ifdef __x86_64__
    EXPECT_EQ(calls_of([&] { static_cast<void>(purge(p, page)); }), 1u);
#endif
  });
}

#ifdef __x86_64__  // emulators do not pass a new limit on
TEST(System, LimitOfAddressSpaceIsReadAnew) {
  in_child([] {
    rlimit limit{};
    getrlimit(RLIMIT_AS, &limit);
    EXPECT_EQ(address_space_limit(), limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : limit.rlim_cur);
    for (const std::size_t bytes : {std::size_t{1} << 46, std::size_t{1} << 45}) {
      limit.rlim_cur = std::min<rlim_t>(bytes, limit.rlim_max);
      ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
      EXPECT_EQ(address_space_limit(), limit.rlim_cur);
    }
  });
}

#endif

TEST(System, AddressSpaceHoldsWhatThereIs) {
  const std::size_t size = address_space_size();
  const int on_stack = 0;
  static const int global = 0;
  EXPECT_TRUE(is_power_of_two(size));
  EXPECT_LT(address_of(&on_stack), size);
  EXPECT_LT(address_of(&global), size);
  EXPECT_GE(size, std::size_t{1} << 32);
#ifdef __x86_64__
  EXPECT_EQ(size, std::size_t{1} << 47);
#endif
}

class GroupLimit : public testing::Test {
 protected:
  ~GroupLimit() override { std::filesystem::remove_all(root_); }

  void write(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = root_ + "/" + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::size_t limit() const {
    errno = 77;
    const std::size_t bytes = cgroup_memory_limit((root_ + "/groups").c_str(), root_.c_str());
    EXPECT_EQ(errno, 77);
    return bytes;
  }

 private:
  std::string root_ = testing::TempDir() + "hakmem-group-" + std::to_string(getpid());
};

TEST_F(GroupLimit, TheLeastOfTheGroupAndThoseAboveIt) {
  write("a/b/nothing", "");
  EXPECT_EQ(limit(), SIZE_MAX);  // no groups
  write("groups", "4:memory:/a/b\n0::/a/b\n");
  EXPECT_EQ(limit(), SIZE_MAX);
  write("a/b/memory.max", "max\n");
  EXPECT_EQ(limit(), SIZE_MAX);
  write("a/memory.max", "900000\n");
  EXPECT_EQ(limit(), 900000u);
  write("a/b/memory.high", "800000\n");
  EXPECT_EQ(limit(), 800000u);
  write("memory.max", "700000\n");
  EXPECT_EQ(limit(), 700000u);
  write("groups", "0::/\n");
  EXPECT_EQ(limit(), 700000u);
  write("groups", "0::/" + std::string(3000, 'x') + "\n");
  EXPECT_EQ(limit(), 700000u);  // too long a path: those above it count
}

TEST_F(GroupLimit, OfTheFirstVersionToo) {
  write("memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");  // none
  write("groups", "5:cpuset,memory:/a/b\n4:pids:/c\n1:name=systemd:/c\n");
  EXPECT_EQ(limit(), SIZE_MAX);
  write("memory/a/memory.limit_in_bytes", "600000\n");
  EXPECT_EQ(limit(), 600000u);
  write("memory.max", "500000\n");  // of no hierarchy that is there
  EXPECT_EQ(limit(), 600000u);
  write("groups", "5:memory:/a/b\n0::/\n");
  EXPECT_EQ(limit(), 500000u);
  write("memory/memory.limit_in_bytes", "400000\n");
  EXPECT_EQ(limit(), 400000u);
  for (const char* nonsense :
       {"", "\n", ":", "5:memory", "0:memory_no:/a/b\n", "7:xmemory,memoryx:/a\n"}) {
    write("groups", nonsense);
    EXPECT_EQ(limit(), SIZE_MAX) << nonsense;
  }
}

std::uint64_t system_milliseconds() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1000 +
         static_cast<std::uint64_t>(t.tv_nsec) / 1000000;
}

TEST(System, CoarseClockGoesOnWithTheSystems) {
  const std::uint64_t system_begin = system_milliseconds();  // before: it may go on in between
  const std::uint64_t begin = coarse_milliseconds();
  std::uint64_t last = begin;
  while (last < begin + 200) {
    const std::uint64_t now = coarse_milliseconds();
    ASSERT_LE(last, now);
    last = now;
    ASSERT_LE(now - begin, system_milliseconds() - system_begin);
  }
}

// Milliseconds by which the clock goes on while nobody asks for 300.
std::uint64_t clock_gap() {
  const std::uint64_t before = coarse_milliseconds();
  usleep(300000);
  return coarse_milliseconds() - before;
}

TEST(System, CoarseClockHardlyGoesOnWhileNobodyAsks) {
  EXPECT_EQ(clock_gap(), 100u);
  for (const std::uint64_t most : {150, 100}) {
    bound_clock_gaps(most);
    EXPECT_EQ(clock_gap(), most);
  }
}

// A fifth of the purge delay, and the whole gap where a janitor asks.
TEST(System, TheBoundOfTheClockIsOfThePurgeDelay) {
  in_child([] { EXPECT_EQ(clock_gap(), 100u); });
  in_child([] { EXPECT_EQ(clock_gap(), 200u); }, {{"HAKMEM_PURGE_DELAY", "1000"}});
  in_child([] { EXPECT_GE(clock_gap(), 250u); }, {{"HAKMEM_BACKGROUND", "1"}});
}

TEST(System, CoarseClockIsOneForAllThreads) {
  std::atomic<std::uint64_t> latest{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&latest] {
      for (int i = 0; i < 200000; ++i) {
        const std::uint64_t seen = latest.load();
        const std::uint64_t now = coarse_milliseconds();
        if (now < seen) ADD_FAILURE() << now << " after " << seen;
        latest.store(now);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace hakmem::os
