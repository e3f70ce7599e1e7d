// hakmem boxes: the table of options and gates as this build knows it, with the values that a
// program started now, in this environment, would get.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "command.hpp"
#include "hakmem/config/options.hpp"

namespace hakmem::tools {
namespace {

constexpr const char* kBoxesFooter =
    R"(Every option is an environment variable, read once as a program starts.
Cold options act on the slow path and are live in every build. Hot ones choose between forms of
the fast path: live in the lab flavour, frozen to the adopted form in the release flavour.

Examples:
  hakmem boxes
  HAKMEM_PROFILE=lean hakmem boxes --json)";

constexpr const char* kNames[] = {
#define X(name, variable, kind, unit, speed, balanced, lean, help) #name,
#include "hakmem/config/options.def"
#undef X
};

struct Row {
  std::string name;
  const config::OptionInfo& info;
  std::uint64_t value = 0;
  std::uint64_t speed = 0, balanced = 0, lean = 0;  // the defaults of the three profiles
  bool hot = false;
  bool frozen = false;
};

std::vector<Row> read_table() {
  using config::Profile;
  config::load();
  const bool hot_is_frozen = std::string_view(config::flavour()) == "release";
  std::vector<Row> rows;
  for (std::size_t i = 0; i < config::kOptionCount; ++i) {
    const config::OptionInfo& info = config::kOptions[i];
    Row row{kNames[i], info};
    row.speed = config::option_default(i, Profile::speed);
    row.balanced = config::option_default(i, Profile::balanced);
    row.lean = config::option_default(i, Profile::lean);
    row.hot = info.kind == config::Kind::hot;
    row.frozen = row.hot && hot_is_frozen;
    // What is compiled in holds whatever the profile.
    row.value =
        row.frozen ? config::frozen_value(info.variable, row.balanced) : config::values.value[i];
    rows.push_back(std::move(row));
  }
  return rows;
}

// With K, M or G where that is exact: the form in which the variables may be set, too.
std::string number_text(std::uint64_t value) {
  constexpr std::string_view kSuffixes = "KMG";
  std::size_t divisions = 0;
  while (value != 0 && value % 1024 == 0 && divisions < kSuffixes.size()) {
    value /= 1024;
    ++divisions;
  }
  std::string text = std::to_string(value);
  if (divisions > 0) text += kSuffixes[divisions - 1];
  return text;
}

// One number, or the three of speed, balanced and lean where they differ.
std::string default_text(const Row& row) {
  if (row.speed == row.balanced && row.balanced == row.lean) return number_text(row.speed);
  return fmt::format("{}/{}/{}", number_text(row.speed), number_text(row.balanced),
                     number_text(row.lean));
}

// Two lines an option: what it is and how it is set, then what it means.
void print_text(const std::vector<Row>& rows) {
  std::vector<std::array<std::string, 6>> lines = {
      {"NAME", "VARIABLE", "VALUE", "DEFAULT", "KIND", "STATE"}};
  for (const Row& row : rows) {
    lines.push_back({row.name, row.info.variable, number_text(row.value), default_text(row),
                     row.hot ? "hot" : "cold", row.frozen ? "frozen" : "live"});
  }
  std::array<std::size_t, 6> widths{};
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  fmt::print(
      "{} flavour, {} profile (HAKMEM_PROFILE=speed, balanced or lean).\n"
      "Defaults that differ by profile stand as speed/balanced/lean.\n\n",
      config::flavour(), config::profile_name(config::profile()));
  for (std::size_t n = 0; n < lines.size(); ++n) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      line += fmt::format("{:<{}}  ", lines[n][i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
    if (n > 0) fmt::print("    {} ({})\n", rows[n - 1].info.help, rows[n - 1].info.unit);
  }
}

void print_json(const std::vector<Row>& rows) {
  using Json = nlohmann::ordered_json;
  Json options = Json::array();
  for (const Row& row : rows) {
    options.push_back(
        {{"name", row.name},
         {"variable", row.info.variable},
         {"kind", row.hot ? "hot" : "cold"},
         {"value", row.value},
         {"default", {{"speed", row.speed}, {"balanced", row.balanced}, {"lean", row.lean}}},
         {"unit", row.info.unit},
         {"frozen", row.frozen},
         {"help", row.info.help}});
  }
  const Json document = {{"flavour", config::flavour()},
                         {"profile", config::profile_name(config::profile())},
                         {"options", options}};
  fmt::print("{}\n", document.dump(2));
}

Action describe_boxes(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  app.add_flag("--json", *json, "Print a JSON document");
  app.footer(kBoxesFooter);
  return [json](const Words&) {
    const std::vector<Row> rows = read_table();
    *json ? print_json(rows) : print_text(rows);
    return 0;
  };
}

const Registration boxes_command{"boxes", "List all options and gates with their present values",
                                 describe_boxes};

}  // namespace
}  // namespace hakmem::tools
