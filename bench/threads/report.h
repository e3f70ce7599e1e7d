#pragma once

#include "crew.h"

namespace bench {

// One line of JSON on standard output: what the crew did since it last forgot, `total` in all.
// `peak_rss_kib` was read before the crew's objects were freed. False when it cannot be written.
bool print_report(const Workload& workload, const Crew& crew, const Slice& total,
                  std::uint64_t peak_rss_kib);

}  // namespace bench
