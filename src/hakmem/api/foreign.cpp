#include "hakmem/api/foreign.hpp"

#include <dlfcn.h>

#include "hakmem/base/fatal.hpp"

// Missing in fully static programs, where nobody else can have allocated.
#pragma weak dlsym

namespace hakmem {
namespace {

template <typename Function>
Function* next_definition([[maybe_unused]] const char* name) {
#ifdef HAKMEM_NO_OVERRIDE
  return nullptr;  // nothing was overridden: a foreign pointer is an error
#else
  if (&dlsym == nullptr) return nullptr;
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
#endif
}

constexpr const char* kInvalid = "invalid pointer, not of this heap:";

}  // namespace

void foreign_free(void* p) {
  auto* next = next_definition<void(void*)>("free");
  if (next == nullptr) fatal_pointer(kInvalid, p);
  next(p);
}

void* foreign_realloc(void* p, std::size_t size) {
  auto* next = next_definition<void*(void*, std::size_t)>("realloc");
  if (next == nullptr) fatal_pointer(kInvalid, p);
  return next(p, size);
}

std::size_t foreign_usable_size(void* p) {
  auto* next = next_definition<std::size_t(void*)>("malloc_usable_size");
  if (next == nullptr) fatal_pointer(kInvalid, p);
  return next(p);
}

}  // namespace hakmem
