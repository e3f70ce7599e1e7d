// hakmem boxes: the table of options and gates as this build knows it, with the values that a
// program started now, in this environment, would get.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>

#include "command.hpp"
#include "hakmem/config/options.hpp"

namespace hakmem::tools {
namespace {

constexpr const char* kFooter =
    R"(Every option is an environment variable, read once as a program starts.
Cold options act on the slow path and are live in every build. Hot ones choose between forms of
the fast path: live in the lab flavour, frozen to the adopted form in the release flavour.

Examples:
  hakmem boxes
  HAKMEM_PROFILE=lean hakmem boxes --json)";

struct Row {
  std::string name;
  std::string variable;
  std::string unit;
  std::string help;
  std::uint64_t value;
  std::uint64_t speed, balanced, lean;  // the defaults of the three profiles
  bool hot;
  bool frozen;
};

// HAKMEM_TINY_C7_ULTRA -> tiny_c7_ultra
std::string name_of(std::string variable) {
  constexpr std::string_view kPrefix = "HAKMEM_";
  if (variable.rfind(kPrefix, 0) == 0) variable.erase(0, kPrefix.size());
  std::transform(variable.begin(), variable.end(), variable.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return variable;
}

std::vector<Row> read_table() {
  using config::Profile;
  config::load();
  const bool hot_is_frozen = std::string_view(config::flavour()) == "release";
  std::vector<Row> rows;
  for (std::size_t i = 0; i < config::option_count(); ++i) {
    const config::OptionInfo& info = config::option_info(i);
    const bool hot = info.kind == config::Kind::hot;
    rows.push_back({name_of(info.variable), info.variable, info.unit == nullptr ? "" : info.unit,
                    info.help, config::option_value(i), config::option_default(i, Profile::speed),
                    config::option_default(i, Profile::balanced),
                    config::option_default(i, Profile::lean), hot, hot && hot_is_frozen});
  }
  return rows;
}

// One number, or the three of speed, balanced and lean where they differ.
std::string default_text(const Row& row) {
  if (row.speed == row.balanced && row.balanced == row.lean) return std::to_string(row.speed);
  return fmt::format("{}/{}/{}", row.speed, row.balanced, row.lean);
}

void print_text(const std::vector<Row>& rows) {
  std::vector<std::array<std::string, 6>> lines = {
      {"VARIABLE", "VALUE", "DEFAULT", "UNIT", "KIND", "STATE"}};
  for (const Row& row : rows) {
    lines.push_back({row.variable, std::to_string(row.value), default_text(row), row.unit,
                     row.hot ? "hot" : "cold", row.frozen ? "frozen" : "live"});
  }
  std::array<std::size_t, 6> widths{};
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  fmt::print("{} flavour; defaults that differ by profile stand as speed/balanced/lean\n\n",
             config::flavour());
  for (std::size_t n = 0; n < lines.size(); ++n) {
    for (std::size_t i = 0; i < widths.size(); ++i) fmt::print("{:<{}}  ", lines[n][i], widths[i]);
    fmt::print("{}\n", n == 0 ? "MEANING" : rows[n - 1].help);
  }
}

void print_json(const std::vector<Row>& rows) {
  using Json = nlohmann::ordered_json;
  Json options = Json::array();
  for (const Row& row : rows) {
    options.push_back(
        {{"name", row.name},
         {"variable", row.variable},
         {"kind", row.hot ? "hot" : "cold"},
         {"value", row.value},
         {"default", {{"speed", row.speed}, {"balanced", row.balanced}, {"lean", row.lean}}},
         {"unit", row.unit},
         {"frozen", row.frozen},
         {"help", row.help}});
  }
  const Json document = {{"flavour", config::flavour()}, {"options", options}};
  fmt::print("{}\n", document.dump(2));
}

Action describe_boxes(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  app.add_flag("--json", *json, "Print a JSON document");
  app.footer(kFooter);
  return [json](const Words&) {
    const std::vector<Row> rows = read_table();
    *json ? print_json(rows) : print_text(rows);
    return 0;
  };
}

const Registration registration{"boxes", "List all options and gates with their present values",
                                describe_boxes};

}  // namespace
}  // namespace hakmem::tools
