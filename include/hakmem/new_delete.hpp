// new_delete.hpp: operator new and delete on HAKMEM, malloc left alone.
//
// Include it in exactly ONE source file of a program (a second one is a "multiple definition" error
// of the linker). It replaces every global form: plain, array, sized, aligned, nothrow.
// Nothing else is to be done: neither LD_PRELOAD nor a change of the calls.
//
// Link hakmem::core (libhakmem_core.a), the library without the standard names, to have only new
// and delete replaced. The other libraries replace malloc too, and operator new with it, so that
// this header is not needed beside them.
//
//   sizes        in bytes; 0 gives a unique pointer
//   alignment    16, or the one asked for, up to 1 GiB
//   errors       the new-handler is called until there is memory or it gives up by throwing; where
//                there is none std::bad_alloc is thrown, or null returned by the nothrow forms
//   threads      every form may be called from any thread at any time
#ifndef HAKMEM_NEW_DELETE_HPP
#define HAKMEM_NEW_DELETE_HPP

#include <hakmem/hakmem.hpp>

#include <new>

namespace hakmem::detail {

// Calls the new-handler, as the standard wants it, until there is memory. A handler that gives up
// throws, which passes through here.
inline void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
  for (;;) {
    void* memory = try_allocate(bytes, alignment);
    if (memory != nullptr) return memory;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) fail<std::bad_alloc>();
    handler();
  }
}

inline void* allocate_or_null(std::size_t bytes, std::size_t alignment) noexcept {
#ifdef __cpp_exceptions
  try {
    return allocate_or_throw(bytes, alignment);
  } catch (...) {
    return nullptr;
  }
#else
  // A handler cannot give up by throwing here: it is not asked.
  return try_allocate(bytes, alignment);
#endif
}

}  // namespace hakmem::detail

void* operator new(std::size_t size) {
  return hakmem::detail::allocate_or_throw(size, hakmem::detail::kNaturalAlignment);
}
void* operator new[](std::size_t size) {
  return hakmem::detail::allocate_or_throw(size, hakmem::detail::kNaturalAlignment);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return hakmem::detail::allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return hakmem::detail::allocate_or_throw(size, static_cast<std::size_t>(alignment));
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return hakmem::detail::allocate_or_null(size, hakmem::detail::kNaturalAlignment);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return hakmem::detail::allocate_or_null(size, hakmem::detail::kNaturalAlignment);
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return hakmem::detail::allocate_or_null(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return hakmem::detail::allocate_or_null(size, static_cast<std::size_t>(alignment));
}

// Every pointer tells its own size and alignment: all forms of delete are one.
void operator delete(void* p) noexcept { hak_free(p); }
void operator delete[](void* p) noexcept { hak_free(p); }
void operator delete(void* p, std::size_t) noexcept { hak_free(p); }
void operator delete[](void* p, std::size_t) noexcept { hak_free(p); }
void operator delete(void* p, std::align_val_t) noexcept { hak_free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { hak_free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { hak_free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { hak_free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { hak_free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { hak_free(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { hak_free(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { hak_free(p); }

#endif
