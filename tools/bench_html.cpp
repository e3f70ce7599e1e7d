// The page that `hakmem bench --html` writes.
#include <fmt/format.h>

#include <algorithm>

#include "bench_runs.hpp"

namespace hakmem::tools {
namespace {

constexpr const char* kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width"/>
<title>hakmem bench</title>
<style>
body { font: 15px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff; }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2em .7em; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
svg { max-width: 100%; height: auto; }
.note { color: #666; }
.wide { overflow-x: auto; }
</style>
</head>
<body>
<h1>hakmem bench</h1>
)";

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

struct Bar {
  std::string name;
  double value, low, high;
  std::string text;
};

// Horizontal bars with their intervals; `line` is where a vertical line stands, 0 for none.
std::string plot(const std::string& title, const std::vector<Bar>& bars, double line) {
  constexpr double kLeft = 110;
  constexpr double kWidth = 420;
  constexpr double kStep = 26;
  double most = line;
  for (const Bar& bar : bars) most = std::max({most, bar.value, bar.high});
  const double scale = most > 0 ? kWidth / most : 0;
  const double height = kStep * static_cast<double>(bars.size()) + 34;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"680\" height=\"{0:.0f}\" viewBox=\"0 0 "
      "680 "
      "{0:.0f}\" role=\"img\" font-family=\"sans-serif\" font-size=\"13\">\n<title>{1}</title>\n"
      "<text x=\"0\" y=\"14\" font-weight=\"bold\">{1}</text>\n",
      height, escaped(title));
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const Bar& bar = bars[i];
    const double y = 26 + kStep * static_cast<double>(i);
    const bool ours = bar.name == "hakmem";
    svg += fmt::format(
        "<text x=\"{:.0f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n"
        "<rect x=\"{:.0f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"16\" fill=\"{}\"/>\n",
        kLeft - 8, y + 13, escaped(bar.name), kLeft, y, std::max(0.0, bar.value * scale),
        ours ? "#c2571a" : "#7a93ac");
    if (bar.high > bar.low) {
      svg += fmt::format(
          "<path d=\"M{0:.1f} {2:.1f}H{1:.1f}M{0:.1f} {3:.1f}v8M{1:.1f} {3:.1f}v8\" "
          "stroke=\"#222\" "
          "fill=\"none\"/>\n",
          kLeft + bar.low * scale, kLeft + bar.high * scale, y + 8, y + 4);
    }
    svg +=
        fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                    kLeft + std::max(bar.value, bar.high) * scale + 8, y + 13, escaped(bar.text));
  }
  if (line > 0) {
    svg += fmt::format(
        "<path d=\"M{:.1f} 22V{:.0f}\" stroke=\"#222\" stroke-dasharray=\"3 3\" fill=\"none\"/>\n",
        kLeft + line * scale, height - 6);
  }
  return svg + "</svg>\n";
}

std::string cells(const char* kind, const std::vector<std::string>& texts) {
  std::string row = "<tr>";
  for (const std::string& text : texts) row += fmt::format("<{0}>{1}</{0}>", kind, escaped(text));
  return row + "</tr>\n";
}

std::string table_of(const BenchTable& table) {
  const bool latency = table.workload.threaded();
  std::vector<std::string> head = {"allocator", "version", "time",        "95 % interval",  "ns/op",
                                   "of floor",  "peak MB", "page faults", "memory calls/op"};
  if (latency) {
    head.emplace_back("malloc p50 / p99 / p99.9 ns");
    head.emplace_back("free p50 / p99 / p99.9 ns");
  }
  std::string html = "<div class=\"wide\"><table>\n" + cells("th", head);
  const auto percentiles = [](const std::optional<Percentiles>& calls) {
    return calls ? fmt::format("{:.0f} / {:.0f} / {:.0f}", calls->p50, calls->p99, calls->p999)
                 : std::string("n/a");
  };
  for (const BenchRow& row : table.rows) {
    std::vector<std::string> line = {
        row.name,
        row.version,
        fmt::format("{:.3f}", row.time.median),
        fmt::format("{:.3f} to {:.3f}", row.time.low, row.time.high),
        fmt::format("{:.2f}", row.nanoseconds),
        row.floor ? fmt::format("{:.1f} %", 100 * row.floor->median) : "n/a",
        fmt::format("{:.1f}", row.peak_mb),
        fmt::format("{:.0f}", row.faults),
        row.memory_calls ? fmt::format("{:.1e}", *row.memory_calls) : "n/a"};
    if (latency) {
      line.push_back(percentiles(row.malloc_calls));
      line.push_back(percentiles(row.free_calls));
    }
    html += cells("td", line);
  }
  return html + "</table></div>\n";
}

std::string section_of(const BenchTable& table) {
  std::string html = fmt::format("<h2>{}</h2>\n", escaped(table.title));
  for (const auto& [who, why] : table.failed) {
    html += fmt::format("<p><b>{} failed:</b> {}</p>\n", escaped(who), escaped(why));
  }
  if (table.rows.empty()) return html;
  std::vector<Bar> times;
  std::vector<Bar> peaks;
  for (const BenchRow& row : table.rows) {
    times.push_back({row.name, row.time.median, row.time.low, row.time.high,
                     fmt::format("{:.3f}", row.time.median)});
    peaks.push_back({row.name, row.peak_mb, 0, 0, fmt::format("{:.1f} MB", row.peak_mb)});
  }
  html +=
      plot(fmt::format("Time of an operation, {} = 1; lower is better", table.reference), times, 1);
  html += plot("Peak RSS; lower is better", peaks, 0);
  html += table_of(table);
  return html +
         fmt::format(
             "<p class=\"note\">{} sets of processes, {} turns of each in all; intervals are "
             "95 %.</p>\n",
             table.sets, table.rounds);
}

}  // namespace

std::string bench_page(const std::vector<BenchTable>& tables, const std::string& machine) {
  std::string html = kHead + fmt::format("<p class=\"note\">{}</p>\n", escaped(machine));
  for (const BenchTable& table : tables) html += section_of(table);
  return html + "</body>\n</html>\n";
}

}  // namespace hakmem::tools
