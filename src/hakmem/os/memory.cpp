#include "hakmem/os/memory.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "hakmem/base/bits.hpp"
#include "hakmem/base/platform.hpp"

namespace hakmem::os {
namespace {

std::size_t the_page_size = 0;

// Both are counters nobody orders anything by: relaxed.
std::atomic<std::uint64_t> calls{0};
std::atomic<std::uint64_t> calls_until_failure{0};

// Counts a call; false when a test wants it to fail.
bool may_call() {
  calls.fetch_add(1, std::memory_order_relaxed);
  if (calls_until_failure.load(std::memory_order_relaxed) == 0) return true;
  return calls_until_failure.fetch_sub(1, std::memory_order_relaxed) != 1;
}

void* or_null(void* p) { return p == MAP_FAILED ? nullptr : p; }

bool protect(void* p, std::size_t bytes, int protection) {
  const KeepErrno keep;
  return may_call() && mprotect(p, bytes, protection) == 0;
}

bool advise_gone(void* p, std::size_t bytes) {
  if (madvise(p, bytes, MADV_DONTNEED) == 0) return true;
#ifdef MADV_DONTNEED_LOCKED
  // Locked pages (mlockall) answer EINVAL to the plain advice.
  // Emulators may accept that one and do nothing: what was written must be gone.
  if (errno == EINVAL) {
    auto* probe = static_cast<volatile char*>(p);
    const char before = *probe;
    *probe = 1;
    if (madvise(p, bytes, MADV_DONTNEED_LOCKED) == 0 && *probe == 0) return true;
    *probe = before;
  }
#endif
  return false;
}

// Some emulators take the advice and do nothing: it counts only where a test page became zero.
bool purge_works() {
  static std::atomic<int> answer{0};  // 0 not asked, 1 yes, 2 no; asking twice does no harm
  const int known = answer.load(std::memory_order_relaxed);
  if (known != 0) return known == 1;
  const std::size_t bytes = page_size();
  void* page = map(bytes);
  if (page == nullptr) return false;  // asked again next time
  auto* probe = static_cast<volatile char*>(page);
  probe[bytes / 2] = 1;
  calls.fetch_add(1, std::memory_order_relaxed);
  const bool works = advise_gone(page, bytes) && probe[bytes / 2] == 0;
  release(page, bytes);
  answer.store(works ? 1 : 2, std::memory_order_relaxed);
  return works;
}

void* map_with(std::size_t bytes, int protection) {
  const KeepErrno keep;
  if (!may_call()) return nullptr;
  return or_null(mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

#if defined(MREMAP_DONTUNMAP) && defined(MADV_COLD)

void* leave_behind(void* p, std::size_t bytes) {
  errno = ENOMEM;
  if (!may_call()) return nullptr;
  // The kernel takes the new address for a hint and refuses a crooked one: null says "anywhere".
  void* const anywhere = nullptr;
  return or_null(mremap(p, bytes, bytes, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, anywhere));
}

// Emulators may hand the call on and count the source as unmapped: then it is none of theirs any
// more, and a system call that shall write there fails.
bool source_remains(char* source, const char* moved, std::size_t bytes) {
  const auto* word = reinterpret_cast<volatile char*>(source);
  return moved[bytes - 1] == 1 && word[bytes - 1] == 0 &&
         syscall(SYS_clock_gettime, CLOCK_MONOTONIC, source) == 0;
}

bool move_works() {
  static std::atomic<int> answer{0};  // 0 not asked, 1 yes, 2 no; asking twice does no harm
  const int known = answer.load(std::memory_order_relaxed);
  if (known != 0) return known == 1;
  const std::size_t bytes = page_size();
  auto* page = static_cast<char*>(map(bytes));
  if (page == nullptr) return false;  // asked again next time
  page[bytes - 1] = 1;
  auto* moved = static_cast<char*>(leave_behind(page, bytes));
  const bool again = moved == nullptr && errno == ENOMEM;
  const bool works = moved != nullptr && source_remains(page, moved, bytes);
  if (moved != nullptr) release(moved, bytes);
  release(page, bytes);
  if (!again) answer.store(works ? 1 : 2, std::memory_order_relaxed);
  return works;
}

// The call would unlock all of the mapping around `p`: an advice that changes nothing tells.
bool is_locked(void* p) {
  calls.fetch_add(1, std::memory_order_relaxed);
  return madvise(p, page_size(), MADV_COLD) != 0;
}

#endif

}  // namespace

std::size_t page_size() {
  if (the_page_size == 0) the_page_size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return the_page_size;
}

void inject_page_size(std::size_t bytes) {
  if (is_power_of_two(bytes) && bytes >= page_size() && bytes <= 65536) the_page_size = bytes;
}

void* reserve(std::size_t bytes) { return map_with(bytes, PROT_NONE); }

void* map(std::size_t bytes) { return map_with(bytes, PROT_READ | PROT_WRITE); }

void* move_out([[maybe_unused]] void* p, [[maybe_unused]] std::size_t bytes) {
#if defined(MREMAP_DONTUNMAP) && defined(MADV_COLD)
  const KeepErrno keep;
  if (move_works() && !is_locked(p)) return leave_behind(p, bytes);
#endif
  return nullptr;
}

void* remap(void* p, std::size_t old_bytes, std::size_t bytes) {
  const KeepErrno keep;
  if (!may_call()) return nullptr;
  return or_null(mremap(p, old_bytes, bytes, MREMAP_MAYMOVE));
}

void release(void* p, std::size_t bytes) {
  const KeepErrno keep;
  calls.fetch_add(1, std::memory_order_relaxed);
  munmap(p, bytes);
}

bool commit(void* p, std::size_t bytes) { return protect(p, bytes, PROT_READ | PROT_WRITE); }

bool make_readable(void* p, std::size_t bytes) { return protect(p, bytes, PROT_READ); }

bool purge(void* p, std::size_t bytes) {
  const KeepErrno keep;
  return purge_works() && may_call() && advise_gone(p, bytes);
}

std::size_t resident_bytes(const void* p, std::size_t bytes) {
  const KeepErrno keep;
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));  // not the injected one
  unsigned char present[1024];
  std::size_t pages = 0;
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t some = std::min(bytes - done, sizeof present * page);
    auto* at = const_cast<char*>(static_cast<const char*>(p)) + done;
    if (mincore(at, some, present) == 0) {
      for (std::size_t i = 0; i < some / page; ++i) pages += present[i] & 1u;
    }
    done += some;
  }
  return pages * page;
}

bool mostly_resident(const void* p, std::size_t bytes) {
  constexpr std::size_t kSamples = 4;
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));  // not the injected one
  const std::size_t stretch = 16 * page;
  if (bytes < kSamples * stretch) return true;
  std::size_t resident = 0;
  for (std::size_t i = 0; i < kSamples; ++i) {
    const std::size_t at = align_down((bytes - stretch) / kSamples * i, page);
    calls.fetch_add(1, std::memory_order_relaxed);
    resident += resident_bytes(static_cast<const char*>(p) + at, stretch);
  }
  return resident >= kSamples * stretch / 2;
}

void advise(void* p, std::size_t bytes, Advice advice) {
  const KeepErrno keep;
  // The headers may be older than the kernel: MADV_POPULATE_WRITE.
  constexpr int kAdvice[] = {MADV_NOHUGEPAGE, MADV_HUGEPAGE, 23};
  if (may_call()) madvise(p, bytes, kAdvice[static_cast<int>(advice)]);
}

std::uint64_t memory_calls() { return calls.load(std::memory_order_relaxed); }

void fail_memory_call(std::uint64_t n) { calls_until_failure.store(n, std::memory_order_relaxed); }

}  // namespace hakmem::os
