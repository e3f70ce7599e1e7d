// Options and gates: read from the environment once, then kept on a read-only page.
//
// This folder alone reads the environment.
#pragma once

#include "hakmem/base/platform.hpp"
#include "hakmem/os/system.hpp"

namespace hakmem::config {

enum class Profile : unsigned char { speed, balanced, lean };
enum class Kind : unsigned char { cold, hot };

enum class Option : unsigned char {
#define X(name, variable, kind, unit, speed, balanced, lean, help) name,
#include "hakmem/config/options.def"
#undef X
};

struct OptionInfo {
  const char* variable;
  Kind kind;
  const char* unit;
  std::uint64_t defaults[3];  // by Profile
  const char* help;
};

inline constexpr OptionInfo kOptions[] = {
#define X(name, variable, kind, unit, speed, balanced, lean, help) \
  {variable, Kind::kind, unit, {speed, balanced, lean}, help},
#include "hakmem/config/options.def"
#undef X
};

inline constexpr std::size_t kOptionCount = sizeof kOptions / sizeof kOptions[0];

// A page of its own, so that it can be write-protected. The largest page each architecture has.
#if defined(__x86_64__)
inline constexpr std::size_t kPageOfValues = 4096;
#else
inline constexpr std::size_t kPageOfValues = 65536;
#endif

struct alignas(kPageOfValues) Values {
  std::uint64_t value[kOptionCount];
  Profile profile;
};

extern constinit Values values;

// Reads the environment, reports unknown HAKMEM_* variables and unreadable values once on stderr,
// and seals the page. Later calls do nothing; so does a call so early that libc has not set up the
// environment yet (defaults hold until then). Not thread-safe: called under the lock of start-up.
void load();

constexpr std::uint64_t option_default(std::size_t index, Profile profile) {
  return kOptions[index].defaults[static_cast<int>(profile)];
}

inline Profile profile() { return values.profile; }
constexpr const char* profile_name(Profile profile) {
  constexpr const char* kNames[] = {"speed", "balanced", "lean"};
  return kNames[static_cast<int>(profile)];
}

constexpr const char* flavour() {
#ifdef HAKMEM_LAB
  return "lab";
#else
  return "release";
#endif
}

// To what the release flavour freezes a hot gate: its adopted form, or for an experiment another
// one, named by the build as HAKMEM_FREEZE="VARIABLE=VALUE,...".
constexpr std::uint64_t frozen_value(const char* variable, std::uint64_t adopted) {
#ifdef HAKMEM_FREEZE
  for (const char* at = HAKMEM_FREEZE; *at != '\0';) {
    const char* name = variable;
    while (*name != '\0' && *at == *name) ++at, ++name;
    const bool found = *name == '\0' && *at == '=';
    while (*at != '\0' && *at != '=') ++at;
    std::uint64_t value = 0;
    for (at += *at == '='; *at >= '0' && *at <= '9'; ++at)
      value = value * 10 + static_cast<std::uint64_t>(*at - '0');
    if (found) return value;
    while (*at == ',') ++at;
  }
#endif
  (void)variable;
  return adopted;
}

#define X(name, variable, kind, unit, speed, balanced, lean, help) \
  HAK_OPTION_##kind(name, variable, balanced)
#define HAK_OPTION_cold(name, variable, adopted) \
  inline std::uint64_t name() { return values.value[static_cast<int>(Option::name)]; }
#ifdef HAKMEM_LAB
#define HAK_OPTION_hot HAK_OPTION_cold
#else
#define HAK_OPTION_hot(name, variable, adopted) \
  constexpr std::uint64_t name() { return frozen_value(variable, adopted); }
#endif
#include "hakmem/config/options.def"
#undef HAK_OPTION_hot
#undef HAK_OPTION_cold
#undef X

// For stress tests, where other threads may come in between (HAKMEM_DELAY). Nothing but in the lab.
HAK_INLINE void delay_point() {
  if (delay() != 0) os::pause_at_random(delay());
}

}  // namespace hakmem::config
