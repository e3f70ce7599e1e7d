#include "hakmem/api/foreign.hpp"

#include <dlfcn.h>

#include "hakmem/base/fatal.hpp"

// Missing in fully static programs, where nobody else can have allocated.
#pragma weak dlsym

namespace hakmem {
namespace {

template <typename Function>
Function* next_definition([[maybe_unused]] const char* name, const void* p) {
#ifndef HAKMEM_NO_OVERRIDE  // else nothing was overridden: a foreign pointer is an error
  if (&dlsym != nullptr) {
    if (void* next = dlsym(RTLD_NEXT, name)) return reinterpret_cast<Function*>(next);
  }
#endif
  fatal_pointer("invalid pointer, not of this heap:", p);
}

}  // namespace

void foreign_free(void* p) { next_definition<void(void*)>("free", p)(p); }

void* foreign_realloc(void* p, std::size_t size) {
  return next_definition<void*(void*, std::size_t)>("realloc", p)(p, size);
}

std::size_t foreign_usable_size(void* p) {
  return next_definition<std::size_t(void*)>("malloc_usable_size", p)(p);
}

}  // namespace hakmem
