// An allocator that fails on purpose, to try what a comparison makes of it: after some thousand
// calls malloc crashes, hangs, runs out of memory or hands an object out twice, as BROKEN_MALLOC
// says.
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

extern "C" void* __libc_malloc(std::size_t size);
extern "C" void __libc_free(void* object);

namespace {

constexpr unsigned kGoodCalls = 10'000;
constexpr std::size_t kSharedBytes = 1040;

std::atomic<unsigned> calls{0};

bool asked_for(const char* fault) {
  const char* wanted = std::getenv("BROKEN_MALLOC");
  return wanted != nullptr && std::strcmp(wanted, fault) == 0;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void* malloc(std::size_t size) {
  if (calls.fetch_add(1, std::memory_order_relaxed) < kGoodCalls) return __libc_malloc(size);
  if (asked_for("crash")) std::abort();
  while (asked_for("hang")) sleep(1);
  if (asked_for("exhaust")) {
    errno = ENOMEM;
    return nullptr;
  }
  static std::atomic<void*> shared{nullptr};
  void* object = asked_for("twice") ? shared.exchange(nullptr, std::memory_order_relaxed) : nullptr;
  if (object != nullptr) return object;
  object = __libc_malloc(size < kSharedBytes ? kSharedBytes : size);
  shared.store(object, std::memory_order_relaxed);
  return object;
}

extern "C" __attribute__((visibility("default"))) void free(void* object) {
  // libc would notice the second free of an object itself.
  if (!asked_for("twice")) __libc_free(object);
}
