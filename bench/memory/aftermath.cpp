// What stays resident after a great number of objects of one size was freed, while a little
// allocation goes on.
#include <cstdio>

#include "../process_status.h"
#include "filled.h"
#include "simmer.h"
#include "workload.h"

namespace bench {
namespace {

struct Link {
  unsigned char* next;
  unsigned char byte;
};

// The objects hold the list of themselves: no books.
Link& link_of(unsigned char* object) { return *reinterpret_cast<Link*>(object); }

void run(const std::uint64_t* values) {
  const std::uint64_t size = values[0];
  const std::uint64_t count = values[1] * 1024 * 1024 / size;
  Simmer simmer(values[3]);
  simmer.run_for(50);
  const std::uint64_t before = rss_kib();
  unsigned char* first = nullptr;
  unsigned char** end = &first;
  for (std::uint64_t i = 0; i < count; ++i) {
    unsigned char* object = make_filled(size);
    link_of(object).byte = byte_of(object);
    *end = object;
    end = &link_of(object).next;
  }
  const std::uint64_t full = rss_kib();
  for (std::uint64_t i = 0; i < count; ++i) {
    unsigned char* object = first;
    if (link_of(object).byte != byte_of(object) || object[size - 1] != byte_of(object))
      fault("content check failed: an object is not what was written there");
    first = link_of(object).next;
    link_of(object).byte = static_cast<unsigned char>(~byte_of(object));
    std::free(object);
  }
  simmer.run_for(values[2]);
  std::printf(
      "{\"workload\": \"aftermath\", \"size\": %llu, \"before_kib\": %llu, \"full_kib\": %llu, "
      "\"rss_kib\": %llu}\n",
      static_cast<unsigned long long>(size), static_cast<unsigned long long>(before),
      static_cast<unsigned long long>(full), static_cast<unsigned long long>(rss_kib()));
}

}  // namespace

const Footprint kAftermath = {"aftermath",
                              "resident memory after MIB of objects of SIZE bytes were freed",
                              {{"SIZE", 32, 1 << 30},
                               {"MIB", 1, 65536},
                               {"WAIT_MS", 1, 60000},
                               {"ONE_SIZE", 16, 1 << 20, true}},
                              run};

}  // namespace bench
