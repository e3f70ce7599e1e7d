// Compiler attributes, constants of the machine, and errno: what every layer may know.
#pragma once

#include <cerrno>
#include <cstddef>

#define HAK_LIKELY(x) __builtin_expect(static_cast<bool>(x), 1)
#define HAK_UNLIKELY(x) __builtin_expect(static_cast<bool>(x), 0)
#define HAK_INLINE inline __attribute__((always_inline))
#define HAK_NOINLINE __attribute__((noinline))
// Off the fast path: kept out of line and laid out away from hot code.
#define HAK_COLD __attribute__((noinline, cold))

// A boundary of a box: inlined, but a function that profilers can name in the outlined variant.
#ifdef HAKMEM_OUTLINE
#define HAK_BOUNDARY inline __attribute__((noinline))
#else
#define HAK_BOUNDARY HAK_INLINE
#endif

// A function with a fast path begins on a line of code: malloc's hit fits one, free's two.
#define HAK_ENTRY __attribute__((aligned(64)))

// Thread-local state must be reached without a call. Dynamic TLS is for libraries that are opened
// late, when the static TLS block has no room left.
#ifdef HAKMEM_DYNAMIC_TLS
#define HAK_TLS_MODEL
#else
#define HAK_TLS_MODEL __attribute__((tls_model("initial-exec")))
#endif

namespace hakmem {

// Errno is after its life what it was before.
struct KeepErrno {
  const int saved = errno;
  ~KeepErrno() { errno = saved; }
};

inline constexpr std::size_t kCacheLine = 64;

// Every object is aligned to this, as max_align_t asks on both architectures.
inline constexpr std::size_t kMinAlignment = 16;

// The largest alignment that can be asked for.
inline constexpr std::size_t kMaxAlignment = std::size_t{1} << 30;

// Objects stay below this size: no address space holds more, and sizes in regions fit 31 bits.
inline constexpr std::size_t kMaxObjectBytes = (std::size_t{1} << 47) - (std::size_t{1} << 31);

}  // namespace hakmem
