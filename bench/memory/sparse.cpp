// Resident memory over live bytes when most of many small objects were freed, at random or in runs.
#include <cstdio>

#include "../process_status.h"
#include "books.h"
#include "filled.h"
#include "simmer.h"
#include "workload.h"

namespace bench {
namespace {

constexpr std::uint32_t kLeast = 32;
constexpr std::uint32_t kMost = 511;

struct Object {
  unsigned char* object;
  std::uint32_t size;
  std::uint32_t stays;
};

// Whether an object stays is decided for runs of objects that were allocated one after the other.
void decide(Object* objects, std::uint64_t count, std::uint64_t percent, std::uint64_t run,
            Random& random) {
  bool stays = false;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i % run == 0) stays = random.below(100) >= percent;
    objects[i].stays = stays ? 1 : 0;
  }
}

void run(const std::uint64_t* values) {
  const std::uint64_t count = values[0];
  Random random(5);
  Simmer simmer(values[4]);
  auto* objects = open_books<Object>(count);
  const std::uint64_t books = count * sizeof(Object) + simmer.book_bytes();
  for (std::uint64_t i = 0; i < count; ++i) {
    objects[i].size = random.between(kLeast, kMost);
    objects[i].object = make_filled(objects[i].size);
  }
  const std::uint64_t full = rss_kib() - books / 1024;
  decide(objects, count, values[1], values[2], random);
  std::uint64_t live = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (objects[i].stays != 0) {
      live += objects[i].size;
    } else {
      drop_filled(objects[i].object, objects[i].size);
    }
  }
  simmer.run_for(values[3]);
  live += simmer.live_bytes();
  const std::uint64_t rss = rss_kib() - books / 1024;
  for (std::uint64_t i = 0; i < count; ++i)
    if (objects[i].stays != 0) check_filled(objects[i].object, objects[i].size);
  std::printf(
      "{\"workload\": \"sparse\", \"percent\": %llu, \"run\": %llu, \"full_kib\": %llu, "
      "\"live_kib\": %llu, \"rss_kib\": %llu}\n",
      static_cast<unsigned long long>(values[1]), static_cast<unsigned long long>(values[2]),
      static_cast<unsigned long long>(full), static_cast<unsigned long long>(live / 1024),
      static_cast<unsigned long long>(rss));
}

}  // namespace

const Footprint kSparse = {
    "sparse",
    "resident memory after PERCENT of OBJECTS, 32 to 511 B, were freed in runs of RUN",
    {{"OBJECTS", 100, 100'000'000},
     {"PERCENT", 0, 99},
     {"RUN", 1, 1 << 20},
     {"WAIT_MS", 1, 60000},
     {"ONE_SIZE", 16, 1 << 20, true}},
    run};

}  // namespace bench
