#include "lab/side.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "lab/companion.hpp"
#include "lab/error.hpp"
#include "lab/process.hpp"

namespace hakmem::lab {
namespace {

namespace fs = std::filesystem;

constexpr double kPatienceForBuilds = 1800;
constexpr std::size_t kPool = 96;  // layouts to draw from

// Makes builds of the source that this program was built from; empty where that is not at hand.
fs::path variant_script() {
  for (fs::path folder = own_folder(); folder != folder.parent_path();
       folder = folder.parent_path()) {
    fs::path script = folder / "script" / "variant";
    if (fs::exists(script)) return script;
  }
  return {};
}

bool is_ours(const std::string& word) { return word == "hakmem" || word.starts_with("hakmem:"); }

// What script/variant prints: one library a line, the layouts that are there.
std::vector<std::string> build_layouts(const std::vector<std::string>& gates, std::size_t layouts) {
  Launch launch;
  launch.command = {variant_script(), "--layouts", std::to_string(layouts)};
  launch.command.insert(launch.command.end(), gates.begin(), gates.end());
  std::vector<std::string> libraries;
  std::stringstream lines(output_of(launch, kPatienceForBuilds));
  for (std::string line; std::getline(lines, line);) libraries.push_back(line);
  return libraries;
}

struct Ours {
  std::vector<std::string> hot;  // GATE=VALUE
  Variables cold;
};

Ours read_ours(const std::string& word, const IsHot& is_hot) {
  Ours ours;
  const std::size_t colon = word.find(':');
  if (colon == std::string::npos) return ours;
  for (auto& [name, value] : parse_variables(word.substr(colon + 1))) {
    if (name.starts_with("HAKMEM_") && is_hot(name)) {
      ours.hot.push_back(fmt::format("{}={}", name, value));
    } else {
      ours.cold.emplace_back(name, value);
    }
  }
  std::sort(ours.hot.begin(), ours.hot.end());
  return ours;
}

}  // namespace

std::vector<Side> parse_sides(const std::vector<std::string>& words, std::size_t layouts,
                              std::uint64_t seed, const IsHot& is_hot) {
  const bool have_source = !variant_script().empty();
  std::vector<Side> sides;
  std::vector<std::vector<std::string>> gates;
  for (const std::string& word : words) {
    Side side;
    side.word = word;
    gates.emplace_back();
    if (is_ours(word)) {
      const Ours ours = read_ours(word, is_hot);
      if (!ours.hot.empty() && !have_source) {
        throw UsageError(fmt::format("{}: {} is a hot gate, which takes the source and a build",
                                     word, ours.hot.front()));
      }
      side.allocator = parse_allocator("hakmem");
      side.allocator.name = word;
      side.allocator.environment = ours.cold;
      gates.back() = ours.hot;
      if (!have_source || (layouts < 2 && ours.hot.empty())) {
        gates.back() = {"-"};
      } else {
        // Both sides draw from one shuffled row where their source is the same, A from its front:
        // two sides that shared a layout would know nothing of its part in the difference.
        const bool same = sides.size() == 1 && gates[0] == gates[1];
        std::vector<std::string> row = build_layouts(ours.hot, std::max(kPool, 2 * layouts));
        std::mt19937_64 random(seed);
        std::shuffle(row.begin(), row.end(), random);
        const auto begin = row.begin() + static_cast<std::ptrdiff_t>(same ? layouts : 0);
        side.layouts.assign(begin, begin + static_cast<std::ptrdiff_t>(layouts));
        side.allocator.library = side.layouts.front();
      }
    } else {
      side.allocator = parse_allocator(word);
    }
    sides.push_back(std::move(side));
  }
  return sides;
}

Allocator placed(const Side& side, std::size_t pair, std::mt19937_64& random) {
  Allocator allocator = side.allocator;
  if (side.varied()) allocator.library = side.layouts[pair % side.layouts.size()];
  allocator.environment.emplace_back("LAB_PLACEMENT", std::string(random() % 4096, 'x'));
  return allocator;
}

}  // namespace hakmem::lab
