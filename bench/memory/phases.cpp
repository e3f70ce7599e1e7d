// A long-running program in small: phase after phase, each with its own sizes, its own amount of
// memory and its own order of freeing; a tenth of each phase's objects lives on into the next ones.
// All requests are the same under every allocator; what time is left of a phase is quiet.
#include <cstdio>

#include "../process_status.h"
#include "books.h"
#include "filled.h"
#include "simmer.h"
#include "workload.h"

namespace bench {
namespace {

constexpr std::uint32_t kMostObjects = 1'000'000;
constexpr std::uint32_t kMostSurvivors = 1'000'000;
constexpr std::uint32_t kMostPhases = 1000;
constexpr std::uint32_t kMostLives = 5;      // phases that a survivor lives on
constexpr std::uint64_t kLeastBytes = 8192;  // of a phase, in KiB; the largest has 16 times as much
constexpr std::uint32_t kNeighbours = 16;    // objects that survive together, in some phases
constexpr std::uint64_t kSecond = 1'000'000'000;

// Sizes from 2^least to 2^most, each doubling as often as the others.
struct Mix {
  std::uint32_t least;
  std::uint32_t most;
};
constexpr Mix kMixes[] = {{4, 7}, {6, 9}, {8, 12}, {4, 10}, {11, 15}, {4, 16}, {15, 20}, {5, 6}};

struct Object {
  unsigned char* object;
  std::uint32_t size;
  std::uint32_t last_phase;
};

struct Sample {
  std::uint64_t full_live, full_rss;  // at the height of the phase
  std::uint64_t live, rss;            // at its end
};

class Phases {
 public:
  Phases(std::uint32_t count, std::uint64_t nanoseconds, std::uint32_t percent)
      : random_(3),
        count_(count),
        phase_nanoseconds_(nanoseconds / (count + 1)),
        percent_(percent),
        most_objects_(kMostObjects / 100 * percent),
        objects_(open_books<Object>(kMostObjects)),
        survivors_(open_books<Object>(kMostSurvivors)),
        samples_(open_books<Sample>(kMostPhases + 1)) {}

  void run() {
    const std::uint64_t start = monotonic_nanoseconds();
    for (std::uint32_t phase = 0; phase < count_; ++phase) {
      rise(phase);
      samples_[phase].full_live = live();
      samples_[phase].full_rss = rss();
      fall(phase);
      finish(phase, start);
    }
    end();
    finish(count_, start);
    for (std::uint32_t i = 0; i < survivor_count_; ++i)
      check_filled(survivors_[i].object, survivors_[i].size);
  }

  void print() const {
    std::printf("{\"workload\": \"phases\", \"phases\": %u, \"peak_kib\": %llu, \"samples\": [",
                count_, static_cast<unsigned long long>(peak_rss_kib() - books() / 1024));
    for (std::uint32_t i = 0; i <= count_; ++i) {
      const Sample& s = samples_[i];
      std::printf("%s[%llu, %llu, %llu, %llu]", i == 0 ? "" : ", ",
                  static_cast<unsigned long long>(s.full_live / 1024),
                  static_cast<unsigned long long>(s.full_rss / 1024),
                  static_cast<unsigned long long>(s.live / 1024),
                  static_cast<unsigned long long>(s.rss / 1024));
    }
    std::printf("]}\n");
  }

 private:
  std::uint64_t books() const {
    return (kMostObjects + kMostSurvivors) * sizeof(Object) + (kMostPhases + 1) * sizeof(Sample) +
           simmer_.book_bytes();
  }
  std::uint64_t live() const { return live_ + simmer_.live_bytes(); }
  std::uint64_t rss() const { return rss_kib() * 1024 - books(); }

  std::uint32_t size_of(const Mix& mix) {
    const std::uint32_t least = 1U << (mix.least + random_.below(mix.most - mix.least));
    return random_.between(least, 2 * least - 1);
  }

  void make(Object& place, const Mix& mix) {
    place.size = size_of(mix);
    place.object = make_filled(place.size);
    live_ += place.size;
  }

  void drop(const Object& place) {
    drop_filled(place.object, place.size);
    live_ -= place.size;
  }

  // Fills up to the phase's bytes, then replaces twice as many: random objects, or the oldest.
  void rise(std::uint32_t phase) {
    const Mix& mix = kMixes[random_.below(sizeof kMixes / sizeof *kMixes)];
    const std::uint64_t bytes = (kLeastBytes * 1024 / 100 * percent_) << random_.below(5);
    object_count_ = 0;
    std::uint64_t made = 0;
    while (made < bytes && object_count_ < most_objects_) {
      make(objects_[object_count_], mix);
      made += objects_[object_count_++].size;
    }
    std::uint32_t oldest = 0;
    for (std::uint64_t i = 0; i < 2 * std::uint64_t{object_count_}; ++i) {
      const bool in_turn = phase % 2 == 1;
      Object& place = objects_[in_turn ? oldest : random_.below(object_count_)];
      if (++oldest == object_count_) oldest = 0;
      drop(place);
      make(place, mix);
    }
  }

  // A tenth lives on, singly or in runs; survivors whose time is over go too.
  void fall(std::uint32_t phase) {
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < survivor_count_; ++i) {
      if (survivors_[i].last_phase <= phase) {
        drop(survivors_[i]);
      } else {
        survivors_[kept++] = survivors_[i];
      }
    }
    survivor_count_ = kept;
    const std::uint32_t run = phase % 4 < 2 ? 1 : kNeighbours;
    bool survives = false;
    std::uint32_t last_phase = 0;
    for (std::uint32_t i = 0; i < object_count_; ++i) {
      if (i % run == 0) {
        survives = random_.below(10) == 0;
        last_phase = phase + 1 + random_.below(kMostLives);
      }
      if (survives && survivor_count_ < kMostSurvivors) {
        survivors_[survivor_count_] = objects_[i];
        survivors_[survivor_count_++].last_phase = last_phase;
      } else {
        drop(objects_[i]);
      }
    }
  }

  // The program has done its work: of what is left a tenth stays.
  void end() {
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < survivor_count_; ++i) {
      if (random_.below(10) == 0) {
        survivors_[kept++] = survivors_[i];
      } else {
        drop(survivors_[i]);
      }
    }
    survivor_count_ = kept;
  }

  void finish(std::uint32_t phase, std::uint64_t start) {
    simmer_.run_until(start + (phase + 1) * phase_nanoseconds_);
    samples_[phase].live = live();
    samples_[phase].rss = rss();
    if (phase == count_) samples_[phase] = {live(), rss(), live(), rss()};
  }

  Random random_;
  Simmer simmer_;
  std::uint32_t count_;
  std::uint64_t phase_nanoseconds_;
  std::uint32_t percent_;
  std::uint32_t most_objects_;
  std::uint64_t live_ = 0;
  Object* objects_;
  std::uint32_t object_count_ = 0;
  Object* survivors_;
  std::uint32_t survivor_count_ = 0;
  Sample* samples_;
};

void run(const std::uint64_t* values) {
  Phases phases(static_cast<std::uint32_t>(values[0]), values[1] * kSecond / 1000,
                static_cast<std::uint32_t>(values[2]));
  phases.run();
  phases.print();
}

}  // namespace

const Footprint kPhases = {
    "phases",
    "live and resident KiB at the height and at the end of each of COUNT phases",
    {{"COUNT", 1, kMostPhases}, {"MILLISECONDS", 1, 86'400'000}, {"PERCENT", 1, 100}},
    run};

}  // namespace bench
