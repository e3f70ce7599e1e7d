// The null allocator: the floor under every malloc. malloc gives one of four fixed blocks, free
// does nothing. What a benchmark costs above its time under this library is the allocator's part.
//
// A program cannot live on fixed blocks before its workload starts (libstdc++, stdio and the
// program's own tables keep what they get), so small requests are first served from a bump area and
// turn into the floor after kStartupBytes. Larger requests, calloc, realloc and aligned requests
// come from the bump area always. Nothing is ever given back. For benchmarks only: two small
// objects that live at the same time share their bytes.
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#define FLOOR_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr std::size_t kBlockBytes = 1104;   // the largest request of Mixed, 1,039 B, with room
constexpr std::size_t kBlockChoice = 0xc0;  // these two bits of the size choose among four starts
constexpr std::size_t kBumpBytes = std::size_t{64} << 20;
constexpr std::size_t kStartupBytes = std::size_t{256} << 10;
constexpr std::size_t kHeader = 16;  // before each bump object: its size

// With several threads each has blocks of its own: else they would write to the same cache lines,
// and be no floor. That costs an instruction, so it is a library of its own.
#ifdef NULL_MALLOC_PER_THREAD
#define PER_THREAD __attribute__((tls_model("initial-exec"))) thread_local
#else
#define PER_THREAD
#endif
alignas(64) PER_THREAD char blocks[kBlockBytes + kBlockChoice];
alignas(4096) char bump_area[kBumpBytes];
std::atomic<std::size_t> bump_used{0};
std::atomic<std::size_t> startup_used{0};
std::size_t largest_fixed = 0;  // requests up to this size get a fixed block

bool is_fixed(const void* p) {
  return p >= static_cast<const void*>(blocks) &&
         p < static_cast<const void*>(blocks + sizeof blocks);
}

std::size_t size_of(const void* p) {
  if (is_fixed(p)) return kBlockBytes;
  std::size_t size = 0;
  std::memcpy(&size, static_cast<const char*>(p) - kHeader, sizeof size);
  return size;
}

// Fresh, zeroed memory, as the area is never reused. `alignment` is a power of two.
void* bump(std::size_t alignment, std::size_t size) {
  if (alignment < kHeader) alignment = kHeader;
  if (size > kBumpBytes || alignment > kBumpBytes) {
    errno = ENOMEM;
    return nullptr;
  }
  const std::size_t taken = (size + kHeader + alignment + 15) & ~std::size_t{15};
  const std::size_t start = bump_used.fetch_add(taken, std::memory_order_relaxed);
  if (start + taken > kBumpBytes) {
    bump_used.fetch_sub(taken, std::memory_order_relaxed);
    errno = ENOMEM;
    return nullptr;
  }
  const auto area = reinterpret_cast<std::uintptr_t>(bump_area);
  const std::uintptr_t object = (area + start + kHeader + alignment - 1) & ~(alignment - 1);
  char* p = bump_area + (object - area);
  std::memcpy(p - kHeader, &size, sizeof size);
  return p;
}

__attribute__((noinline, cold)) void* start_up_or_large(std::size_t size) {
  if (size <= kBlockBytes &&
      startup_used.fetch_add(size + kHeader, std::memory_order_relaxed) > kStartupBytes)
    largest_fixed = kBlockBytes;
  return bump(kHeader, size);
}

}  // namespace

FLOOR_EXPORT void* malloc(std::size_t size) {
  if (__builtin_expect(size > largest_fixed, 0)) return start_up_or_large(size);
  return blocks + (size & kBlockChoice);
}

FLOOR_EXPORT void free(void*) {}

FLOOR_EXPORT void* calloc(std::size_t count, std::size_t size) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  return bump(kHeader, bytes);
}

FLOOR_EXPORT void* realloc(void* p, std::size_t size) {
  void* grown = bump(kHeader, size);
  if (p == nullptr || grown == nullptr) return grown;
  const std::size_t old = size_of(p);
  std::memcpy(grown, p, old < size ? old : size);
  return grown;
}

FLOOR_EXPORT void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return bump(alignment, size);
}

FLOOR_EXPORT void* memalign(std::size_t alignment, std::size_t size) {
  return bump(alignment, size);
}

FLOOR_EXPORT int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  void* p = bump(alignment, size);
  if (p == nullptr) return ENOMEM;
  *out = p;
  return 0;
}

FLOOR_EXPORT std::size_t malloc_usable_size(void* p) { return p == nullptr ? 0 : size_of(p); }
