// An everyday C++ file: containers, algorithms, streams, lambdas and templates of its own.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace inventory {

struct Item {
  std::string name;
  std::vector<std::pair<int, double>> prices;
  std::map<std::string, std::variant<int, double, std::string>> properties;
};

template <typename Key, typename Value>
class Index {
 public:
  void add(const Key& key, Value value) { values_[key].push_back(std::move(value)); }

  template <typename Function>
  auto fold(Function function) const {
    using Result = decltype(function(std::declval<const Key&>(), std::declval<const Value&>()));
    std::vector<Result> results;
    for (const auto& [key, values] : values_)
      for (const auto& value : values) results.push_back(function(key, value));
    return results;
  }

 private:
  std::map<Key, std::vector<Value>> values_;
};

template <int N>
struct Grid {
  std::tuple<Index<int, std::string>, Index<std::string, double>, std::set<std::tuple<int, long>>>
      data;
  std::map<std::string, std::shared_ptr<Grid<N - 1>>> children;

  std::string describe() const {
    std::ostringstream out;
    for (const auto& text : std::get<0>(data).fold(
             [](int key, const std::string&value) { return std::to_string(key * N) + value; }))
      out << text << ' ';
    for (const auto& [name, child] : children) out << name << child->describe();
    return out.str();
  }
};

template <>
struct Grid<0> {
  std::string describe() const { return {}; }
};

std::string report(const std::vector<Item>& items, const Grid<2>& grid) {
  std::map<std::string, std::function<double(const Item&)>> measures;
  measures["sum"] = [](const Item& item) {
    return std::accumulate(item.prices.begin(), item.prices.end(), 0.0,
                           [](double sum, const auto& price) { return sum + price.second; });
  };
  measures["best"] = [](const Item& item) {
    auto best = std::max_element(item.prices.begin(), item.prices.end());
    return best == item.prices.end() ? 0.0 : best->second;
  };
  std::vector<std::reference_wrapper<const Item>> sorted(items.begin(), items.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const Item& a, const Item& b) {
    return std::tie(a.name, a.prices) < std::tie(b.name, b.prices);
  });
  std::ostringstream out;
  for (const Item& item : sorted) {
    for (const auto& [name, measure] : measures) out << name << '=' << measure(item) << '\n';
    for (const auto& [key, value] : item.properties)
      std::visit([&out, &key](const auto& v) { out << key << ':' << v << '\n'; }, value);
  }
  std::optional<std::string> text = grid.describe();
  return out.str() + text.value_or("");
}

}  // namespace inventory
