#include "hakmem/config/options.hpp"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "hakmem/base/text.hpp"
#include "hakmem/os/memory.hpp"

namespace hakmem::config {
namespace {

constexpr const char* kProfileVariable = "HAKMEM_PROFILE";
constexpr const char* kPrefix = "HAKMEM_";
constexpr const char* kTestPrefix = "HAKMEM_TEST_";  // read by the tests, not by the library
constexpr std::size_t kLongestShown = 79;

constexpr Values defaults_of(Profile profile) {
  Values result{};
  for (std::size_t i = 0; i < kOptionCount; ++i) result.value[i] = option_default(i, profile);
  result.profile = profile;
  return result;
}

bool sealed = false;

void complain(const char* what, std::string_view name) {
  const std::string_view shown(name.data(), std::min(name.size(), kLongestShown));
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
  for (const Profile profile : {Profile::speed, Profile::balanced, Profile::lean}) {
    if (std::string_view(text) != profile_name(profile)) continue;
    values = defaults_of(profile);
    return;
  }
  complain("HAKMEM_PROFILE is speed, balanced or lean, not", text);
}

void read_option(std::size_t index) {
  const char* variable = kOptions[index].variable;
  const char* text = secure_getenv(variable);
  if (text == nullptr) return;
  std::uint64_t value = 0;
  if (!parse(text, value)) return complain("not a number, ignored:", variable);
#ifndef HAKMEM_LAB
  if (kOptions[index].kind == Kind::hot) {
    if (value == frozen_value(variable, option_default(index, Profile::balanced))) return;
    return complain("the gate is frozen in the release flavour (the lab flavour has it live):",
                    variable);
  }
#endif
  values.value[index] = value;
}

bool is_known(std::string_view name) {
  const auto is_name = [name](const OptionInfo& option) { return name == option.variable; };
  return name == kProfileVariable || std::any_of(kOptions, kOptions + kOptionCount, is_name);
}

void report_unknown() {
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (strncmp(*entry, kPrefix, strlen(kPrefix)) != 0) continue;
    if (strncmp(*entry, kTestPrefix, strlen(kTestPrefix)) == 0) continue;
    const std::string_view name(*entry, strcspn(*entry, "="));
    if (!is_known(name)) complain("unknown variable, ignored:", name);
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
  const std::uint64_t least = background() != 0 ? 10000 : 100;  // a janitor asks each second
  os::bound_clock_gaps(std::max(purge_delay() / 5, least));
  static_cast<void>(os::make_readable(&values, sizeof values));  // else they stay writable
}

}  // namespace hakmem::config
