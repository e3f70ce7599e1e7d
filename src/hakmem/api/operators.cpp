// operator new and delete, in all their forms.
//
// libhakmem.so needs libc alone, yet a failing operator new throws std::bad_alloc. So libstdc++'s
// own functions are reached through weak references; where those are null although libstdc++ is
// there (a C program that opened a C++ plugin loads it locally), they are looked up at that moment.
// The archive's operator new is for C++ programs alone: there the references are ordinary ones.

#include <dlfcn.h>

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
HAK_WEAK_IN_SHARED void __throw_bad_alloc() __attribute__((__noreturn__));
HAK_WEAK_IN_SHARED new_handler get_new_handler() noexcept;
}  // namespace std

// Missing in fully static programs.
#pragma weak dlopen
#pragma weak dlsym

namespace hakmem {
namespace {

// libstdc++ has one too, which would have to be linked.
constexpr std::nothrow_t kNothrow{};

// A function of libstdc++, if that is linked or loaded.
template <typename Function>
Function* find(Function* linked, const char* name) {
  if (linked != nullptr || &dlopen == nullptr) return linked;
  void* library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
  return library != nullptr ? reinterpret_cast<Function*>(dlsym(library, name)) : nullptr;
}

[[noreturn]] HAK_COLD void throw_bad_alloc() {
  auto* thrower = find<void()>(&std::__throw_bad_alloc, "_ZSt17__throw_bad_allocv");
  if (thrower != nullptr) thrower();
  fatal("out of memory in operator new, and no libstdc++ to throw std::bad_alloc");
}

std::new_handler current_handler() {
  auto* getter = find<std::new_handler()>(&std::get_new_handler, "_ZSt15get_new_handlerv");
  return getter != nullptr ? getter() : nullptr;
}

// The standard's loop: allocate, else call the handler, until there is none. What it throws passes.
template <typename Allocate>
void* allocate_or_throw(Allocate allocate_once) {
  for (;;) {
    if (void* p = allocate_once(); p != nullptr) return p;
    const std::new_handler handler = current_handler();
    if (handler == nullptr) throw_bad_alloc();
    handler();
  }
}

HAK_COLD void* new_slow(std::size_t size) {
  return allocate_or_throw([=] { return malloc_slow(size); });
}

void* new_aligned(std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(
      [=] { return aligned_no_errno(static_cast<std::size_t>(alignment), size); });
}

// The nothrow forms call the handler too, and catch what it throws. Catching needs libstdc++: its
// own nothrow forms call the throwing ones above and do just that.
template <typename... Arguments>
void* allocate_or_catch(void* p, const char* form, Arguments... arguments) {
  if (p != nullptr || current_handler() == nullptr) return p;
  auto* catching = find<void*(Arguments..., const std::nothrow_t&)>(nullptr, form);
  return catching != nullptr ? catching(arguments..., kNothrow) : nullptr;
}

HAK_COLD void* new_slow_nothrow(std::size_t size) {
  return allocate_or_catch(malloc_slow(size), "_ZnwmRKSt9nothrow_t", size);
}

void* new_aligned_nothrow(std::size_t size, std::align_val_t alignment) {
  return allocate_or_catch(aligned_no_errno(static_cast<std::size_t>(alignment), size),
                           "_ZnwmSt11align_val_tRKSt9nothrow_t", size, alignment);
}

}  // namespace
}  // namespace hakmem

using namespace hakmem;
using std::align_val_t;
using std::nothrow_t;
using std::size_t;

// clang-format off
HAK_EXPORT HAK_ENTRY void* operator new(size_t n) { return allocate<new_slow>(n); }
HAK_EXPORT HAK_ENTRY void* operator new[](size_t n) { return allocate<new_slow>(n); }
HAK_EXPORT void* operator new(size_t n, const nothrow_t&) noexcept { return allocate<new_slow_nothrow>(n); }
HAK_EXPORT void* operator new[](size_t n, const nothrow_t&) noexcept { return allocate<new_slow_nothrow>(n); }
HAK_EXPORT void* operator new(size_t n, align_val_t a) { return new_aligned(n, a); }
HAK_EXPORT void* operator new[](size_t n, align_val_t a) { return new_aligned(n, a); }
HAK_EXPORT void* operator new(size_t n, align_val_t a, const nothrow_t&) noexcept { return new_aligned_nothrow(n, a); }
HAK_EXPORT void* operator new[](size_t n, align_val_t a, const nothrow_t&) noexcept { return new_aligned_nothrow(n, a); }

HAK_EXPORT HAK_ENTRY void operator delete(void* p) noexcept { deallocate(p); }
HAK_EXPORT HAK_ENTRY void operator delete[](void* p) noexcept { deallocate(p); }
HAK_EXPORT HAK_ENTRY void operator delete(void* p, size_t) noexcept { deallocate(p); }
HAK_EXPORT HAK_ENTRY void operator delete[](void* p, size_t) noexcept { deallocate(p); }
HAK_EXPORT void operator delete(void* p, const nothrow_t&) noexcept { deallocate(p); }
HAK_EXPORT void operator delete[](void* p, const nothrow_t&) noexcept { deallocate(p); }
HAK_EXPORT void operator delete(void* p, align_val_t) noexcept { deallocate(p); }
HAK_EXPORT void operator delete[](void* p, align_val_t) noexcept { deallocate(p); }
HAK_EXPORT void operator delete(void* p, size_t, align_val_t) noexcept { deallocate(p); }
HAK_EXPORT void operator delete[](void* p, size_t, align_val_t) noexcept { deallocate(p); }
HAK_EXPORT void operator delete(void* p, align_val_t, const nothrow_t&) noexcept { deallocate(p); }
HAK_EXPORT void operator delete[](void* p, align_val_t, const nothrow_t&) noexcept { deallocate(p); }
// clang-format on
