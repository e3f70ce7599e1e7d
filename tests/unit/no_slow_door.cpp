// For programs without api/, to which front/ leaves these.
#include "hakmem/front/fast_path.hpp"

namespace hakmem {

void* malloc_slow(std::size_t) { return nullptr; }
void free_slow(void*, std::size_t) {}

}  // namespace hakmem
