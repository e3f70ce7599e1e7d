// What the bins of all heaps counted, summed: what the forms of the statistics are made of.
#pragma once

#include <array>

#include "hakmem/hakmem.h"
#include "hakmem/heap/bin.hpp"

namespace hakmem {

struct ClassSums {
  BinCounters counters;
  std::uint64_t slabs;
  std::uint64_t slab_bytes;
  std::uint64_t slack_bytes;  // of these: before the first object and behind the last
  std::uint64_t out_bytes;    // objects that programs or caches hold

  bool is_unused() const { return counters.carves == 0; }
};

void add(ClassSums& sums, const ClassSums& more);
ClassSums sums_of_bin(const Bin& bin, const SizeClass& k);

struct Census {
  std::array<ClassSums, kClasses> by_class;
  ClassSums all;
  std::size_t segment_bytes;  // spans that heaps took ahead
};

// Takes the doors of all heaps, one after the other, and collects what other threads freed.
Census take_census();

// memory_statistics of what was counted just now: what is shown together is of one moment.
hak_stats_t memory_statistics(const Census& census, bool ask_system);

// The numbers of a class or band by name, in the order in which they are shown.
struct CounterName {
  const char* name;
  std::uint64_t BinCounters::*value;
};
inline constexpr CounterName kCounterNames[] = {
    {"carves", &BinCounters::carves},     {"carved", &BinCounters::carved},
    {"refills", &BinCounters::refills},   {"refilled", &BinCounters::refilled},
    {"flushes", &BinCounters::flushes},   {"flushed", &BinCounters::flushed},
    {"collects", &BinCounters::collects}, {"collected", &BinCounters::collected},
};

// The parts of hak_stats_t by name, in their order there.
struct StatisticName {
  const char* name;
  std::size_t hak_stats_t::*value;
};
inline constexpr StatisticName kStatisticNames[] = {
    {"mapped", &hak_stats_t::mapped},
    {"committed", &hak_stats_t::committed},
    {"live", &hak_stats_t::live},
    {"cached", &hak_stats_t::cached},
    {"free", &hak_stats_t::free},
    {"slack", &hak_stats_t::slack},
    {"dirty", &hak_stats_t::dirty},
    {"purged", &hak_stats_t::purged},
    {"metadata", &hak_stats_t::metadata},
    {"punched", &hak_stats_t::punched},
    {"metadata_resident", &hak_stats_t::metadata_resident},
    {"heaps", &hak_stats_t::heaps},
    {"purges", &hak_stats_t::purges},
    {"memory_calls", &hak_stats_t::memory_calls},
};
static_assert(sizeof(hak_stats_t) == std::size(kStatisticNames) * sizeof(std::size_t));

}  // namespace hakmem
