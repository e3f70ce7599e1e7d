#include "lab/experiment.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "lab/machine.hpp"

namespace hakmem::lab {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// JSON has no infinity.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

double number_in(const Json& value, double otherwise) {
  return value.is_null() ? otherwise : value.get<double>();
}

Json to_json(const Interval& interval) {
  return {{"estimate", interval.estimate},
          {"low", number(interval.low)},
          {"high", number(interval.high)}};
}

Json to_json(const Side& side) {
  Json environment = Json::object();
  for (const auto& [name, value] : side.allocator.environment) environment[name] = value;
  Json hashes = Json::array();
  for (const std::string& layout : side.layouts) hashes.push_back(hash_of(layout));
  if (hashes.empty() && !side.allocator.library.empty())
    hashes.push_back(hash_of(side.allocator.library));
  return {{"word", side.word},
          {"name", side.allocator.name},
          {"version", version_of(side.allocator)},
          {"environment", environment},
          {"layouts", side.layouts.size()},
          {"sha256", hashes}};
}

std::string describe_side(char letter, const Json& side) {
  std::string text = fmt::format("{}  {}", letter, side.at("word").get<std::string>());
  if (const auto version = side.at("version").get<std::string>(); !version.empty())
    text += fmt::format(", version {}", version);
  const auto layouts = side.at("layouts").get<std::size_t>();
  if (layouts > 1) return text + fmt::format(", {} layouts\n", layouts);
  return text + ", one build\n";
}

// Whole runs have no slices, from which their noise could be told.
bool have_slices(const Json& pairs) {
  return std::any_of(pairs.begin(), pairs.end(), [](const Json& pair) { return pair[1] != 0; });
}

std::string describe_tax(const Json& tax, bool varied, bool without_noise) {
  std::string text = fmt::format("layout tax    {:.2f} % from one pair of processes to the next",
                                 100 * tax.at("all").get<double>());
  if (varied) {
    text += fmt::format(", {:.2f} % from one relink to the next",
                        100 * tax.at("relinks").get<double>());
  }
  return text + (without_noise ? " (standard deviation, noise taken out)\n"
                               : " (standard deviation, and the noise of runs in it)\n");
}

}  // namespace

std::string percent(double gain) {
  if (!std::isfinite(gain)) return gain < 0 ? "-inf" : "+inf";
  return fmt::format("{:+.2f} %", 100 * std::expm1(gain));
}

Json to_json(const Experiment& experiment) {
  const Outcome& outcome = experiment.outcome;
  Json looks = Json::array();
  for (const Look& look : outcome.looks) {
    looks.push_back({{"look", look.number},
                     {"pairs", look.pairs},
                     {"alpha", alpha_of_look(look.number)},
                     {"gain", to_json(look.interval)},
                     {"verdict", name_of(look.verdict)}});
  }
  Json pairs = Json::array();
  for (const PairSample& pair : outcome.pairs)
    pairs.push_back({std::round(pair.gain * 1e6), std::round(pair.error * 1e6), pair.layout});
  Json json = {{"command", fmt::format("hakmem {}", fmt::join(experiment.words, " "))},
               {"words", experiment.words},
               {"date", today()},
               {"machine", describe_machine()},
               {"a", to_json(experiment.sides[0])},
               {"b", to_json(experiment.sides[1])},
               {"workload", experiment.workload},
               {"metric", name_of(experiment.metric)},
               {"method", experiment.method},
               {"naive", experiment.naive},
               {"threshold", experiment.threshold},
               {"budget_seconds", experiment.budget_seconds},
               {"seconds", outcome.seconds},
               {"seed", experiment.seed},
               {"verdict", name_of(outcome.verdict)},
               {"gain", to_json(outcome.interval)},
               {"looks", looks},
               {"layout_tax", {{"all", outcome.tax.all}, {"relinks", outcome.tax.relinks}}},
               {"seconds_to_decide", seconds_to_decide(outcome, experiment.threshold)},
               {"pairs_unit", "[gain in millionths, standard error in millionths, layout]"},
               {"pairs", pairs}};
  if (experiment.naive) json["runs"] = {{"a", outcome.runs[0]}, {"b", outcome.runs[1]}};
  if (experiment.instructions) {
    json["instructions"] = {{"a", experiment.instructions->first},
                            {"b", experiment.instructions->second}};
  }
  return json;
}

std::string to_text(const Json& json) {
  const bool naive = json.at("naive").get<bool>();
  const Json& gain = json.at("gain");
  std::string text = describe_side('A', json.at("a")) + describe_side('B', json.at("b"));
  text += fmt::format("{}; metric {}; {}\n\n", json.at("workload").get<std::string>(),
                      json.at("metric").get<std::string>(), json.at("method").get<std::string>());
  const auto estimate = gain.at("estimate").get<double>();
  text += fmt::format("gain of B     {}", percent(estimate));
  if (naive) {
    text += " (means of ten runs each; no interval: this method has none)\n";
  } else {
    text +=
        fmt::format(", 95 % interval {} to {}\n", percent(number_in(gain.at("low"), -kInfinity)),
                    percent(number_in(gain.at("high"), kInfinity)));
    const std::size_t layouts = std::max(json.at("a").at("layouts").get<std::size_t>(),
                                         json.at("b").at("layouts").get<std::size_t>());
    text += describe_tax(json.at("layout_tax"), layouts > 1, have_slices(json.at("pairs")));
    text += fmt::format("evidence      {} pairs, {} of {} looks, {:.0f} s of {:.0f} s\n",
                        json.at("pairs").size(), json.at("looks").back().at("look").get<unsigned>(),
                        kLooks, json.at("seconds").get<double>(),
                        json.at("budget_seconds").get<double>());
  }
  if (json.contains("instructions")) {
    const auto a = json.at("instructions").at("a").get<double>();
    const auto b = json.at("instructions").at("b").get<double>();
    text += fmt::format("instructions  A {:.6g}, B {:.6g}: {} fewer in B\n", a, b,
                        percent(std::log(a / b)));
  }
  const bool varied = json.at("a").at("layouts") > 1 && json.at("b").at("layouts") > 1;
  text +=
      fmt::format("verdict       {} (threshold {:g} %){}\n", json.at("verdict").get<std::string>(),
                  100 * json.at("threshold").get<double>(),
                  varied ? "" : ", for these builds: layout was not varied on both sides");
  if (json.at("verdict") == "UNDECIDED") {
    const auto needed = json.at("seconds_to_decide").get<double>();
    text += needed > 0 ? fmt::format("              about --budget {:.0f}s would decide\n", needed)
                       : "              too few pairs for an interval: a larger --budget, or a "
                         "shorter command\n";
  }
  return text;
}

}  // namespace hakmem::lab
