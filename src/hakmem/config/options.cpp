#include "hakmem/config/options.hpp"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "hakmem/base/text.hpp"
#include "hakmem/os/memory.hpp"

namespace hakmem::config {
namespace {

constexpr const char* kProfileVariable = "HAKMEM_PROFILE";
constexpr const char* kPrefix = "HAKMEM_";
constexpr const char* kTestPrefix = "HAKMEM_TEST_";  // read by the tests, not by the library

constexpr const char* kProfileNames[] = {"speed", "balanced", "lean"};

constexpr Values defaults_of(Profile profile) {
  Values result{};
  for (std::size_t i = 0; i < kOptionCount; ++i) {
    result.value[i] = kOptions[i].defaults[static_cast<int>(profile)];
  }
  result.profile = profile;
  return result;
}

bool sealed = false;

void complain(const char* what, const char* name, std::size_t length) {
  char shown[80];
  if (length >= sizeof shown) length = sizeof shown - 1;
  memcpy(shown, name, length);
  shown[length] = '\0';
  Text().add("hakmem: ").add(what).add(" ").add(shown).add("\n").write_to(STDERR_FILENO);
}

// Decimal digits and an optional K, M or G (powers of 1024).
bool parse(const char* text, std::uint64_t& result) {
  std::uint64_t value = 0;
  const char* c = parse_decimal(text, value);
  if (c == nullptr) return false;
  unsigned shift = 0;
  if (*c == 'K' || *c == 'k') shift = 10;
  if (*c == 'M' || *c == 'm') shift = 20;
  if (*c == 'G' || *c == 'g') shift = 30;
  if (shift != 0) ++c;
  if (*c != '\0' || value > (UINT64_MAX >> shift)) return false;
  result = value << shift;
  return true;
}

void read_profile() {
  const char* text = secure_getenv(kProfileVariable);
  if (text == nullptr) return;
  for (std::size_t i = 0; i < 3; ++i) {
    if (strcmp(text, kProfileNames[i]) == 0) {
      values = defaults_of(static_cast<Profile>(i));
      return;
    }
  }
  complain("HAKMEM_PROFILE is speed, balanced or lean, not", text, strlen(text));
}

void read_option(std::size_t index) {
  const char* text = secure_getenv(kOptions[index].variable);
  if (text == nullptr) return;
  std::uint64_t value = 0;
  if (!parse(text, value)) {
    complain("not a number, ignored:", kOptions[index].variable, strlen(kOptions[index].variable));
    return;
  }
#ifndef HAKMEM_LAB
  if (kOptions[index].kind == Kind::hot) {
    const std::uint64_t frozen = option_default(index, Profile::balanced);
    if (value != frozen) {
      complain("the gate is frozen in the release flavour (the lab flavour has it live):",
               kOptions[index].variable, strlen(kOptions[index].variable));
    }
    return;
  }
#endif
  values.value[index] = value;
}

bool is_known(const char* name, std::size_t length) {
  const auto same = [&](const char* known) {
    return strlen(known) == length && memcmp(known, name, length) == 0;
  };
  for (const OptionInfo& option : kOptions) {
    if (same(option.variable)) return true;
  }
  return same(kProfileVariable);
}

void report_unknown() {
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (strncmp(*entry, kPrefix, strlen(kPrefix)) != 0) continue;
    if (strncmp(*entry, kTestPrefix, strlen(kTestPrefix)) == 0) continue;
    const std::size_t length = strcspn(*entry, "=");
    if (!is_known(*entry, length)) complain("unknown variable, ignored:", *entry, length);
  }
}

}  // namespace

constinit Values values = defaults_of(Profile::balanced);

void load() {
  if (sealed || environ == nullptr) return;
  sealed = true;
  // A set-user-id program must not listen to its caller.
  if (getauxval(AT_SECURE) == 0) {
    read_profile();
    for (std::size_t i = 0; i < kOptionCount; ++i) read_option(i);
    report_unknown();
  }
  os::inject_page_size(page_size());
  os::fail_memory_call(fail_os_call());
  os::seal(&values, sizeof values);
}

std::size_t option_count() { return kOptionCount; }
const OptionInfo& option_info(std::size_t index) { return kOptions[index]; }
std::uint64_t option_value(std::size_t index) { return values.value[index]; }
std::uint64_t option_default(std::size_t index, Profile profile) {
  return kOptions[index].defaults[static_cast<int>(profile)];
}
Profile profile() { return values.profile; }
const char* profile_name(Profile profile) { return kProfileNames[static_cast<int>(profile)]; }

const char* flavour() {
#ifdef HAKMEM_LAB
  return "lab";
#else
  return "release";
#endif
}

}  // namespace hakmem::config
