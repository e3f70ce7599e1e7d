// How the workloads allocate: each object carries a tag made of its address in its first word,
// which is looked at when the object is freed. An object that was handed out twice, or overwritten
// through another one, is found there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "fault.h"
#include "latency.h"
#include "member.h"

namespace bench {

constexpr std::size_t kSmallestObject = sizeof(std::uint64_t);

// The two ways to call the allocator. Timing each call distorts throughput, hence both.
struct Untimed {
  static void* allocate(Member& /*member*/, std::size_t size) { return std::malloc(size); }
  static void release(Member& /*member*/, void* object) { std::free(object); }
};

struct Timed {
  static void* allocate(Member& member, std::size_t size) {
    const std::uint64_t begin = member.latency->begin();
    void* object = std::malloc(size);
    member.latency->end(Latency::kMalloc, begin);
    return object;
  }
  static void release(Member& member, void* object) {
    const std::uint64_t begin = member.latency->begin();
    std::free(object);
    member.latency->end(Latency::kFree, begin);
  }
};

inline std::uint64_t tag_of(const volatile void* object) {
  return reinterpret_cast<std::uintptr_t>(object) ^ 0xa5c3'96f0'3c5a'69e1U;
}

template <class Calls>
void* make_object(Member& member, std::size_t size) {
  auto* word = static_cast<volatile std::uint64_t*>(Calls::allocate(member, size));
  if (word == nullptr) fault("malloc failed");
  *word = tag_of(word);
  return const_cast<std::uint64_t*>(word);
}

template <class Calls>
void drop_object(Member& member, void* object) {
  auto* word = static_cast<volatile std::uint64_t*>(object);
  if (*word != tag_of(word)) fault("content check failed: an object is not what was written there");
  *word = 0;  // of two owners, the second finds this
  Calls::release(member, object);
}

// For tables, where a slot may be empty.
template <class Calls>
void drop_if_any(Member& member, void* object) {
  if (object != nullptr) drop_object<Calls>(member, object);
}

}  // namespace bench
