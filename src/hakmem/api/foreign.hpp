// Pointers that are not ours: memory that the next allocator in the program handed out, before us
// or beside us. The same function's next definition gets them; without one the program ends.
#pragma once

#include <cstddef>

namespace hakmem {

void foreign_free(void* p);
void* foreign_realloc(void* p, std::size_t size);
std::size_t foreign_usable_size(void* p);

}  // namespace hakmem
