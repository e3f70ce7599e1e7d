// Large objects that come and go: 20 of 5 to 25 MB live, a random one is replaced, each of its
// pages is touched.
#include "../threads/fault.h"
#include "../threads/pages.h"
#include "../threads/random.h"
#include "filled.h"
#include "workload.h"

namespace bench {
namespace {

constexpr std::uint32_t kLive = 20;
constexpr std::uint32_t kMegabyte = 1'000'000;
constexpr std::size_t kPage = 4096;

struct State {
  Random random;
  unsigned char* objects[kLive];
};
State* state;

unsigned char* make_touched() {
  const std::size_t size = state->random.between(5 * kMegabyte, 25 * kMegabyte);
  auto* object = static_cast<unsigned char*>(std::malloc(size));
  if (object == nullptr) fault("malloc failed");
  for (std::size_t at = 0; at < size; at += kPage)
    const_cast<volatile unsigned char*>(object)[at] = byte_of(object);
  return object;
}

void set_up(std::uint32_t seed) {
  state = map_zeroed<State>(1);
  state->random = Random(seed);
  for (unsigned char*& object : state->objects) object = make_touched();
}

void operate() {
  unsigned char*& object = state->objects[state->random.below(kLive)];
  drop_filled(object, 1);
  object = make_touched();
}

void tear_down() {
  for (unsigned char* object : state->objects) drop_filled(object, 1);
}

}  // namespace

const Timed kChurnLarge = {"churn-large", "an object replaced", set_up, operate, tear_down};

}  // namespace bench
