// A C++ plugin of a C program: its operator new fails, and it catches that itself.
#include <cstddef>
#include <cstdint>
#include <new>

#include "support/opaque.hpp"

namespace {
constexpr std::size_t kImpossible = static_cast<std::size_t>(PTRDIFF_MAX) - 4096;
int handler_calls = 0;
}  // namespace

extern "C" int plugin_catches() {
  try {
    ::operator delete(::operator new(opaque(kImpossible)));
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}

extern "C" int plugin_handler_is_called() {
  std::set_new_handler([] {
    if (++handler_calls == 2) std::set_new_handler(nullptr);
  });
  try {
    ::operator delete[](::operator new[](opaque(kImpossible)));
  } catch (const std::bad_alloc&) {
    return handler_calls;
  }
  return -1;
}

extern "C" int plugin_nothrow_is_null() {
  return ::operator new(opaque(kImpossible), std::nothrow) == nullptr;
}

extern "C" int plugin_aligned_catches() {
  try {
    ::operator delete (::operator new (opaque(kImpossible), std::align_val_t{64}),
                       std::align_val_t{64});
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}
