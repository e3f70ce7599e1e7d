#include "simmer.h"

#include <ctime>

#include "books.h"
#include "filled.h"

namespace bench {
namespace {

constexpr std::uint32_t kPlaces = 1000;
constexpr int kObjectsAtOnce = 10;
constexpr std::uint64_t kMillisecond = 1'000'000;

}  // namespace

std::uint64_t monotonic_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

Simmer::Simmer(std::uint64_t one_size)
    : one_size_(one_size), random_(77), places_(open_books<Place>(kPlaces)) {}

std::uint64_t Simmer::book_bytes() const { return kPlaces * sizeof(Place); }

void Simmer::replace_one() {
  Place& place = places_[random_.below(kPlaces)];
  if (place.object != nullptr) drop_filled(place.object, place.size);
  live_bytes_ -= place.size;
  place.size = random_.between(16, 2000);
  place.object = make_filled(place.size);
  live_bytes_ += place.size;
}

void Simmer::a_little() {
  if (one_size_ != 0) return drop_filled(make_filled(one_size_), one_size_);
  for (int i = 0; i < kObjectsAtOnce; ++i) replace_one();
}

void Simmer::run_until(std::uint64_t nanoseconds) {
  do {
    a_little();
    const timespec pause{0, kMillisecond};
    nanosleep(&pause, nullptr);
  } while (monotonic_nanoseconds() < nanoseconds);
}

void Simmer::run_for(std::uint64_t milliseconds) {
  run_until(monotonic_nanoseconds() + milliseconds * kMillisecond);
}

}  // namespace bench
