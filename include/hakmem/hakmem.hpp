// hakmem.hpp: HAKMEM for C++ containers. C++17 or later, header only, over the C interface.
//
//   std::vector<int, hakmem::allocator<int>> numbers;
//   std::pmr::vector<int> others{hakmem::get_memory_resource()};
//
// Everything here draws from the process-wide heap of hakmem.h and keeps no state of its own:
//   sizes          in bytes where a name says bytes, else in objects of T
//   alignment      16 at least, and that of T (or the one asked for) up to 1 GiB
//   ownership      the caller's, until the matching deallocate (hak_free would do as well)
//   errors         std::bad_alloc; the new-handler is not called (new_delete.hpp does that).
//                  Without exceptions (-fno-exceptions) the program is aborted instead
//   threads        every function may be called from any thread at any time, and memory may be
//                  released by another thread than the one that allocated it
#ifndef HAKMEM_HAKMEM_HPP
#define HAKMEM_HAKMEM_HPP

#include <hakmem/hakmem.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>
#if __has_include(<memory_resource>)
#include <memory_resource>
#define HAKMEM_HAS_MEMORY_RESOURCE 1
#endif

namespace hakmem {

namespace detail {

// What hak_malloc aligns to by itself.
inline constexpr std::size_t kNaturalAlignment = 16;

// Null when memory cannot be had or `alignment` is not a power of two up to 1 GiB.
[[nodiscard]] inline void* try_allocate(std::size_t bytes, std::size_t alignment) noexcept {
  const bool natural = alignment - 1 < kNaturalAlignment && (alignment & (alignment - 1)) == 0;
  return natural ? hak_malloc(bytes) : hak_aligned_alloc(alignment, bytes);
}

template <class Exception>
[[noreturn]] inline void fail() {
#ifdef __cpp_exceptions
  throw Exception();
#else
  std::abort();
#endif
}

}  // namespace detail

// What allocate_at_least gives: the standard's own type where the library has it (C++23).
#ifdef __cpp_lib_allocate_at_least
template <class Pointer>
using allocation_result = std::allocation_result<Pointer>;
#else
template <class Pointer>
struct allocation_result {
  Pointer ptr;
  std::size_t count;  // in objects, never fewer than were asked for
};
#endif

// The allocator of the standard containers. Stateless: any two compare equal, so containers swap
// and move without copying, and what one instance allocated another may release.
template <class T>
class allocator {
 public:
  using value_type = T;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using propagate_on_container_move_assignment = std::true_type;
  using is_always_equal = std::true_type;

  constexpr allocator() noexcept = default;
  template <class U>
  constexpr allocator(const allocator<U>&) noexcept {}

  // Memory for `count` objects, aligned for T, over-aligned types included; no object is
  // constructed. A count of 0 gives a unique pointer.
  // Throws std::bad_array_new_length when count * sizeof(T) overflows, std::bad_alloc when memory
  // cannot be had.
  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > SIZE_MAX / sizeof(T)) detail::fail<std::bad_array_new_length>();
    void* memory = detail::try_allocate(count * sizeof(T), alignof(T));
    if (memory == nullptr) detail::fail<std::bad_alloc>();
    return static_cast<T*>(memory);
  }

  // As allocate, and tells how many objects the memory has room for in truth. Any count from the
  // one asked for to the one given may be passed to deallocate.
  [[nodiscard]] allocation_result<T*> allocate_at_least(std::size_t count) {
    T* memory = allocate(count);
    return {memory, hak_usable_size(memory) / sizeof(T)};
  }

  // Releases what allocate or allocate_at_least of any allocator gave. The objects must have been
  // destroyed before.
  void deallocate(T* memory, std::size_t /*count*/) noexcept { hak_free(memory); }
};

template <class T, class U>
constexpr bool operator==(const allocator<T>&, const allocator<U>&) noexcept {
  return true;
}

template <class T, class U>
constexpr bool operator!=(const allocator<T>&, const allocator<U>&) noexcept {
  return false;
}

#ifdef HAKMEM_HAS_MEMORY_RESOURCE

// The same heap behind the interface of std::pmr. All instances are equal: what one allocated
// another may release. (Without RTTI only an instance and itself are known to be equal.)
// allocate(bytes, alignment) throws std::bad_alloc when memory cannot be had, and when the
// alignment is not a power of two up to 1 GiB.
class memory_resource final : public std::pmr::memory_resource {
 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* memory = detail::try_allocate(bytes, alignment);
    if (memory == nullptr) detail::fail<std::bad_alloc>();
    return memory;
  }

  void do_deallocate(void* memory, std::size_t /*bytes*/, std::size_t /*alignment*/) override {
    hak_free(memory);
  }

  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
#ifdef __cpp_rtti
    return dynamic_cast<const memory_resource*>(&other) != nullptr;
#else
    return this == &other;
#endif
  }
};

// One instance for the whole program. Never destroyed, so that static objects may use it to the
// very end; the caller does not own it.
[[nodiscard]] inline memory_resource* get_memory_resource() noexcept {
  alignas(memory_resource) static unsigned char storage[sizeof(memory_resource)];
  static memory_resource* const resource = ::new (static_cast<void*>(storage)) memory_resource;
  return resource;
}

// A first-class heap: what was allocated from it is released with it at the latest, all at once.
//
//   hakmem::heap request;
//   std::pmr::vector<std::pmr::string> words{&request};
//
// Any thread may allocate from it and release its memory (by deallocate, or hak_free); nobody may
// use either once the heap is destroyed. Objects are not destroyed with it, only their memory goes:
// containers whose elements own nothing else may be forgotten (std::pmr::monotonic_buffer_resource
// has the same rule). The constructor throws std::bad_alloc when there is no memory for a heap;
// allocate when memory cannot be had or the alignment is not a power of two up to 1 GiB. A heap is
// equal to itself alone.
class heap final : public std::pmr::memory_resource {
 public:
  heap() : heap_(hak_heap_new()) {
    if (heap_ == nullptr) detail::fail<std::bad_alloc>();
  }
  ~heap() override { hak_heap_destroy(heap_); }
  heap(const heap&) = delete;
  heap& operator=(const heap&) = delete;

  // For the C functions of hakmem.h. Owned by this object.
  [[nodiscard]] hak_heap_t* get() const noexcept { return heap_; }

  // What the heap holds. Exact when no other thread uses it at the same time.
  [[nodiscard]] hak_heap_stats_t stats() const noexcept {
    hak_heap_stats_t stats{};
    hak_heap_stats(heap_, &stats);
    return stats;
  }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* memory = hak_heap_aligned(heap_, alignment, bytes);
    if (memory == nullptr) detail::fail<std::bad_alloc>();
    return memory;
  }

  void do_deallocate(void* memory, std::size_t /*bytes*/, std::size_t /*alignment*/) override {
    hak_free(memory);
  }

  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  hak_heap_t* heap_;
};

#endif  // HAKMEM_HAS_MEMORY_RESOURCE

}  // namespace hakmem

#endif
