// bench_nodes ROUNDS: nodes of eight sizes, known to the compiler, are deleted and made again, as
// containers do it: operator new and sized delete. bench_nodes_static is linked with the core: it
// calls hak_malloc and hak_free, or with FORM=inline it takes the allocator's fast path inline with
// the size as a constant, as a header could offer it.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#ifdef NODES_STATIC
#include "hakmem/api/entry.hpp"
#include "hakmem/hakmem.h"
#endif

namespace {

constexpr std::size_t kSizes = 8;
constexpr std::size_t kNodes = 50;  // of each size

unsigned char* nodes[kSizes][kNodes];

template <bool kInline, std::size_t i>
void renew(std::uint32_t r) {
  constexpr std::size_t size = 24 + i * 40;
  unsigned char*& node = nodes[i][r % kNodes];
#ifdef NODES_STATIC
  if constexpr (kInline) {
    hakmem::deallocate(node);
    node = static_cast<unsigned char*>(hakmem::entry_malloc(size));
  } else {
    hak_free(node);
    node = static_cast<unsigned char*>(hak_malloc(size));
  }
#else
  ::operator delete(node, size);
  node = static_cast<unsigned char*>(::operator new(size));
#endif
  *node = static_cast<unsigned char>(r);
}

template <bool kInline>
void run(std::uint64_t rounds) {
  std::uint32_t r = 1;
  for (; rounds != 0; --rounds) {
    r ^= r << 13;
    r ^= r >> 17;
    r ^= r << 5;
    [r]<std::size_t... i>(std::index_sequence<i...>) { (renew<kInline, i>(r), ...); }
    (std::make_index_sequence<kSizes>());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* form = std::getenv("FORM");
  const std::uint64_t rounds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 2000000;
  const bool is_inline = form != nullptr && std::strcmp(form, "inline") == 0;
  (is_inline ? run<true> : run<false>)(rounds);
}
