#include "mixed.h"

#include <sys/mman.h>

#include <cstdlib>

namespace bench {

Mixed::Mixed(std::uint32_t working_set, std::uint32_t size_mask, std::uint32_t seed)
    : slots_(nullptr), working_set_(working_set), size_mask_(size_mask), random_(seed) {
  void* table = mmap(nullptr, working_set * sizeof(void*), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (table != MAP_FAILED) slots_ = static_cast<void**>(table);
}

Mixed::~Mixed() {
  if (!ready()) return;
  for (std::uint32_t i = 0; i < working_set_; ++i) std::free(slots_[i]);
  munmap(slots_, working_set_ * sizeof(void*));
}

// Aligned, so that the loop lies the same in every program that has it.
__attribute__((aligned(64))) bool Mixed::run(std::uint64_t operations) {
  void** const slots = slots_;
  const std::uint32_t working_set = working_set_;
  const std::uint32_t size_mask = size_mask_;
  std::uint32_t r = random_;
  bool ok = true;
  for (; operations != 0; --operations) {
    r ^= r << 13;
    r ^= r >> 17;
    r ^= r << 5;
    void*& slot = slots[r % working_set];
    if (slot != nullptr) {
      std::free(slot);
      slot = nullptr;
      continue;
    }
    auto* object = static_cast<volatile unsigned char*>(std::malloc(16 + (r & size_mask)));
    if (object == nullptr) {
      ok = false;
      break;
    }
    object[0] = static_cast<unsigned char>(r);
    slot = const_cast<unsigned char*>(object);
  }
  random_ = r;
  return ok;
}

}  // namespace bench
