// operator new and delete, in all their forms.
//
// libhakmem.so needs libc alone, yet a failing operator new throws std::bad_alloc. So libstdc++'s
// own functions are reached through weak references; where those are null although libstdc++ is
// there (a C program that opened a C++ plugin loads it locally), they are looked up at that moment.
// The archive is linked into C++ programs when it comes to operator new: there the references are
// ordinary ones.

#include <dlfcn.h>

#include <cerrno>
#include <new>

#include "hakmem/api/entry.hpp"
#include "hakmem/base/fatal.hpp"
#include "hakmem/hakmem.h"

#ifdef HAKMEM_SHARED
#define HAK_WEAK_IN_SHARED __attribute__((weak))
#else
#define HAK_WEAK_IN_SHARED
#endif

namespace std {
[[noreturn]] HAK_WEAK_IN_SHARED void __throw_bad_alloc();
HAK_WEAK_IN_SHARED new_handler get_new_handler() noexcept;
}  // namespace std

namespace hakmem {
namespace {

using ThrowFunction = void();
using HandlerFunction = std::new_handler();

template <typename Function>
Function* find(Function* linked, [[maybe_unused]] const char* name) {
#ifdef HAKMEM_SHARED
  if (linked != nullptr) return linked;
  void* library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
  return library != nullptr ? reinterpret_cast<Function*>(dlsym(library, name)) : nullptr;
#else
  return linked;
#endif
}

[[noreturn]] HAK_COLD void throw_bad_alloc() {
  if (auto* thrower = find<ThrowFunction>(&std::__throw_bad_alloc, "_ZSt17__throw_bad_allocv")) {
    thrower();
  }
  fatal("out of memory in operator new, and no libstdc++ to throw std::bad_alloc");
}

// Calls the new-handler. False when there is none.
bool handler_helped() {
  auto* getter = find<HandlerFunction>(&std::get_new_handler, "_ZSt15get_new_handlerv");
  const std::new_handler handler = getter != nullptr ? getter() : nullptr;
  if (handler == nullptr) return false;
  handler();
  return true;
}

// The loop that the standard asks for: allocate, else call the handler and try again. A handler
// that throws passes through.
template <typename Allocate>
void* retry(Allocate allocate_once) {
  for (;;) {
    if (void* p = allocate_once(); p != nullptr) return p;
    if (!handler_helped()) return nullptr;
  }
}

HAK_COLD void* new_slow_nothrow(std::size_t size) {
  return retry([=] { return malloc_slow(size); });
}

HAK_COLD void* new_slow(std::size_t size) {
  void* p = new_slow_nothrow(size);
  if (p == nullptr) throw_bad_alloc();
  return p;
}

void* new_aligned_nothrow(std::size_t size, std::align_val_t alignment) {
  return retry([=] { return aligned_no_errno(static_cast<std::size_t>(alignment), size); });
}

void* new_aligned(std::size_t size, std::align_val_t alignment) {
  void* p = new_aligned_nothrow(size, alignment);
  if (p == nullptr) throw_bad_alloc();
  return p;
}

}  // namespace
}  // namespace hakmem

using namespace hakmem;
using std::align_val_t;
using std::nothrow_t;
using std::size_t;

// clang-format off
HAK_EXPORT void* operator new(size_t n) { return allocate<new_slow>(n); }
HAK_EXPORT void* operator new[](size_t n) { return allocate<new_slow>(n); }
HAK_EXPORT void* operator new(size_t n, const nothrow_t&) noexcept { return allocate<new_slow_nothrow>(n); }
HAK_EXPORT void* operator new[](size_t n, const nothrow_t&) noexcept { return allocate<new_slow_nothrow>(n); }
HAK_EXPORT void* operator new(size_t n, align_val_t a) { return new_aligned(n, a); }
HAK_EXPORT void* operator new[](size_t n, align_val_t a) { return new_aligned(n, a); }
HAK_EXPORT void* operator new(size_t n, align_val_t a, const nothrow_t&) noexcept { return new_aligned_nothrow(n, a); }
HAK_EXPORT void* operator new[](size_t n, align_val_t a, const nothrow_t&) noexcept { return new_aligned_nothrow(n, a); }

HAK_EXPORT void operator delete(void* p) noexcept { deallocate(p); }
HAK_EXPORT void operator delete[](void* p) noexcept { deallocate(p); }
HAK_EXPORT void operator delete(void* p, size_t) noexcept { deallocate(p); }
HAK_EXPORT void operator delete[](void* p, size_t) noexcept { deallocate(p); }
HAK_EXPORT void operator delete(void* p, const nothrow_t&) noexcept { deallocate(p); }
HAK_EXPORT void operator delete[](void* p, const nothrow_t&) noexcept { deallocate(p); }
HAK_EXPORT void operator delete(void* p, align_val_t) noexcept { deallocate(p); }
HAK_EXPORT void operator delete[](void* p, align_val_t) noexcept { deallocate(p); }
HAK_EXPORT void operator delete(void* p, size_t, align_val_t) noexcept { deallocate(p); }
HAK_EXPORT void operator delete[](void* p, size_t, align_val_t) noexcept { deallocate(p); }
HAK_EXPORT void operator delete(void* p, align_val_t, const nothrow_t&) noexcept { deallocate(p); }
HAK_EXPORT void operator delete[](void* p, align_val_t, const nothrow_t&) noexcept { deallocate(p); }
// clang-format on
