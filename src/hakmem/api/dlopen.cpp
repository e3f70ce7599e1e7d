// dlopen without RTLD_DEEPBIND.
//
// A plugin that is opened with that flag binds malloc and free to libc's, before the ones the
// program uses: the two then free each other's memory. Without the flag it gets everybody's.
//
// The loader looks at its caller's return address (for $ORIGIN, RUNPATH and the namespace), so the
// function must not stand on the stack itself: it changes the flag and jumps.

#include <dlfcn.h>

#include "hakmem/hakmem.h"

static_assert(RTLD_DEEPBIND == 8);

extern "C" {

using DlopenFunction = void*(const char*, int);

__attribute__((visibility("hidden"))) void* hakmem_dlopen_first(const char* file, int flags);

// Where to jump; found at the first call, or when the library is loaded.
__attribute__((visibility("hidden"))) DlopenFunction* hakmem_dlopen_next = &hakmem_dlopen_first;

static DlopenFunction* find_next() {
  auto* next = reinterpret_cast<DlopenFunction*>(dlsym(RTLD_NEXT, "dlopen"));
  if (next != nullptr) hakmem_dlopen_next = next;
  return next;
}

__attribute__((constructor(101))) static void find_at_load() { find_next(); }

// Only for a constructor that runs before ours: the caller the loader sees is then this library.
void* hakmem_dlopen_first(const char* file, int flags) {
  DlopenFunction* next = find_next();
  return next != nullptr ? next(file, flags) : nullptr;
}

HAK_EXPORT void* dlopen(const char* file, int flags) noexcept;

#if defined(__x86_64__)
#define HAK_DROP_DEEPBIND_AND_JUMP          \
  "  andl $-9, %esi\n"                      \
  "  movq hakmem_dlopen_next(%rip), %rax\n" \
  "  jmp *%rax\n"
#elif defined(__aarch64__)
#define HAK_DROP_DEEPBIND_AND_JUMP                \
  "  and w1, w1, #-9\n"                           \
  "  adrp x16, hakmem_dlopen_next\n"              \
  "  ldr x16, [x16, #:lo12:hakmem_dlopen_next]\n" \
  "  br x16\n"
#else
#error "dlopen: write the jump for this architecture"
#endif

__asm__(
    ".text\n"
    ".globl dlopen\n"
    ".type dlopen, %function\n"
    "dlopen:\n"
    "  .cfi_startproc\n" HAK_DROP_DEEPBIND_AND_JUMP
    "  .cfi_endproc\n"
    ".size dlopen, .-dlopen\n");

}  // extern "C"
