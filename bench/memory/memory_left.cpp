// memory_left OBJECTS LOW HIGH STAY RUN MS ORDER: what stays resident after most of a heap was
// freed. It allocates OBJECTS touched objects of LOW to HIGH bytes, frees all but STAY of a
// thousand, in runs of RUN objects (in the order of allocation, or ORDER 1: at random), goes on for
// MS milliseconds with a little allocation (20 objects each millisecond; MS 0: not at all), and
// writes the bytes of objects left and the resident KiB before, full, and at the end. Its own books
// come from mmap and are unmapped before the end.
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "../number_argument.h"
#include "../threads/random.h"

namespace {

std::uint64_t resident_kib() {
  const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  char text[128] = {};
  if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) return 0;
  close(fd);
  const char* second = std::strchr(text, ' ');
  return std::strtoull(second, nullptr, 10) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) >>
         10;
}

struct Object {
  char* p;
  std::size_t size;
};

char* touched(std::size_t size) {
  auto* p = static_cast<char*>(std::malloc(size));
  if (p == nullptr) std::abort();
  std::memset(p, 1, size);
  return p;
}

void sleep_a_millisecond() {
  const timespec time{0, 1000000};
  nanosleep(&time, nullptr);
}

void work_a_little(bench::Random& random, std::uint64_t milliseconds) {
  for (std::uint64_t i = 0; i < milliseconds; ++i) {
    char* objects[20];
    for (char*& p : objects) p = touched(16 + random.below(1000));
    for (char* p : objects) std::free(p);
    sleep_a_millisecond();
  }
}

}  // namespace

int main(int argc, char** argv) {
  enum { kObjects, kLow, kHigh, kStay, kRun, kMs, kOrder, kArguments };
  std::uint64_t values[kArguments];
  if (argc != kArguments + 1) return 2;
  for (int i = 0; i < kArguments; ++i) {
    if (!bench::read_number(argv[i + 1], 0, std::uint64_t{1} << 40, &values[i])) return 2;
  }
  const std::size_t count = values[kObjects];
  bench::Random random(42);
  const std::uint64_t before = resident_kib();
  void* books = mmap(nullptr, count * sizeof(Object), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (books == MAP_FAILED || values[kRun] == 0) return 2;
  auto* objects = static_cast<Object*>(books);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = values[kLow] + random.below(values[kHigh] - values[kLow] + 1);
    objects[i] = {touched(size), size};
  }
  const std::uint64_t full = resident_kib();
  std::uint64_t live = 0;
  bool stays = false;
  std::size_t dying = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % values[kRun] == 0) stays = random.below(1000) < values[kStay];
    if (stays) {
      live += objects[i].size;
    } else {
      objects[dying++] = objects[i];
    }
  }
  for (std::size_t i = 0; i < dying; ++i) {
    if (values[kOrder] != 0) std::swap(objects[i], objects[i + random.below(dying - i)]);
    std::free(objects[i].p);
  }
  munmap(books, count * sizeof(Object));
  work_a_little(random, values[kMs]);
  std::printf("{\"live\": %llu, \"before\": %llu, \"full\": %llu, \"left\": %llu}\n",
              static_cast<unsigned long long>(live), static_cast<unsigned long long>(before),
              static_cast<unsigned long long>(full),
              static_cast<unsigned long long>(resident_kib()));
  return 0;
}
