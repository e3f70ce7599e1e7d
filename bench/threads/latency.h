// How long single calls take, of one thread: histograms of ticks whose buckets are at most 1/32
// wide.
//
// A call of more than 20 us is a pause. Most pauses on a busy machine are not the allocator's: the
// scheduler gave the CPU to another thread. So at each pause the thread asks how often it was
// switched away against its will; where that number rose since it was last known the pause counts
// as `preempted` and stays out of the histogram. It is read anew after each long time between calls
// as well, so that a switch there is not blamed on a later call.
#pragma once

#include <cstddef>
#include <cstdint>
#if defined(__x86_64__)
#include <x86intrin.h>
#else
#include <ctime>
#endif

namespace bench {

// Fenced: without that the calls would overlap with what lies around them.
inline std::uint64_t ticks() {
#if defined(__x86_64__)
  _mm_lfence();
  const std::uint64_t now = __rdtsc();
  _mm_lfence();
  return now;
#else
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
#endif
}

class Histogram {
 public:
  static constexpr unsigned kSubBits = 5;
  static constexpr std::size_t kBuckets = (65 - kSubBits) << kSubBits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < (1U << kSubBits)) return value;
    const unsigned shift = 63U - static_cast<unsigned>(__builtin_clzll(value)) - kSubBits;
    return ((shift + 1U) << kSubBits) + ((value >> shift) & ((1U << kSubBits) - 1));
  }

  void add(std::uint64_t value) { ++counts_[bucket_of(value)]; }
  void add_all(const Histogram& other);
  void clear();
  [[nodiscard]] std::uint64_t total() const;
  // The middle of the bucket in which that share of the values is reached; 0 without values.
  [[nodiscard]] double quantile(double share) const;

 private:
  std::uint64_t counts_[kBuckets];
};

class Latency {
 public:
  enum Call : std::uint8_t { kMalloc, kFree, kCalls };
  static constexpr double kPauseNanoseconds = 20'000;

  struct Figures {
    Histogram histogram;
    std::uint64_t pauses;     // over 20 us, in the histogram too
    std::uint64_t preempted;  // over 20 us, with a switch of threads; not in the histogram
    std::uint64_t longest;    // of those in the histogram

    void add_all(const Figures& other);
  };

  // Of this machine; measured once, which takes some milliseconds.
  static double ticks_per_nanosecond();
  // What begin() and end() measure when nothing lies between them.
  static std::uint64_t overhead_ticks();

  // Objects of this class come from zeroed memory.
  void set_up(double per_nanosecond) {
    pause_ticks_ = static_cast<std::uint64_t>(kPauseNanoseconds * per_nanosecond);
  }
  // To be called first on each thread that uses this object.
  void on_new_thread() { note_switches(); }
  void forget();

  std::uint64_t begin() {
    const std::uint64_t now = ticks();
    if (now - last_end_ <= pause_ticks_) return now;
    note_switches();
    return ticks();
  }

  void end(Call call, std::uint64_t begin) {
    last_end_ = ticks();
    const std::uint64_t taken = last_end_ - begin;
    if (taken <= pause_ticks_) {
      figures_[call].histogram.add(taken);
    } else {
      note_pause(call, taken);
    }
  }

  [[nodiscard]] const Figures& figures(Call call) const { return figures_[call]; }

 private:
  bool note_switches();  // whether there were any
  void note_pause(Call call, std::uint64_t taken);

  std::uint64_t last_end_;
  std::uint64_t pause_ticks_;
  std::int64_t switches_;
  Figures figures_[kCalls];
};

}  // namespace bench
