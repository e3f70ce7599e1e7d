#include "report.h"

#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "pages.h"

namespace bench {
namespace {

// Text of bounded length; stdio's buffers would come from the allocator that is measured.
class Text {
 public:
  __attribute__((format(printf, 2, 3))) void add(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length = std::vsnprintf(text_ + length_, sizeof text_ - length_, format, arguments);
    va_end(arguments);
    length_ = std::min(length_ + static_cast<std::size_t>(std::max(length, 0)), sizeof text_ - 1);
  }

  [[nodiscard]] bool print() const {
    return write(STDOUT_FILENO, text_, length_) == static_cast<ssize_t>(length_);
  }

 private:
  char text_[2048];
  std::size_t length_ = 0;
};

double ratio(double a, double b) { return b == 0 ? 0 : a / b; }

// How many operations the slowest thread did, and the one in the middle.
void add_fairness(Text& text, const Crew& crew) {
  auto* counts = map_zeroed<std::uint64_t>(crew.count());
  unsigned counted = 0;
  for (unsigned i = 0; i < crew.count(); ++i)
    if (crew.members()[i].counted) counts[counted++] = crew.members()[i].operations.load();
  std::sort(counts, counts + counted);
  const std::uint64_t median = counts[counted / 2];
  text.add("\"thread_min\": %llu, \"thread_median\": %llu, \"fairness\": %.4f",
           static_cast<unsigned long long>(counts[0]), static_cast<unsigned long long>(median),
           ratio(static_cast<double>(counts[0]), static_cast<double>(median)));
}

void add_latency(Text& text, const Crew& crew, Latency::Call call, const char* name) {
  auto* all = map_zeroed<Latency::Figures>(1);
  for (unsigned i = 0; i < crew.count(); ++i)
    all->add_all(crew.members()[i].latency->figures(call));
  const double per_nanosecond = Latency::ticks_per_nanosecond();
  const auto overhead = static_cast<double>(Latency::overhead_ticks());
  const auto nanoseconds = [&](double taken) {
    return std::max(0.0, taken - overhead) / per_nanosecond;
  };
  text.add(", \"%s_ns\": {\"calls\": %llu", name,
           static_cast<unsigned long long>(all->histogram.total()));
  constexpr struct {
    const char* name;
    double share;
  } kQuantiles[] = {{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};
  for (const auto& quantile : kQuantiles)
    text.add(", \"%s\": %.1f", quantile.name, nanoseconds(all->histogram.quantile(quantile.share)));
  text.add(", \"longest\": %.0f, \"pauses\": %llu, \"preempted\": %llu, \"timer\": %.1f}",
           nanoseconds(static_cast<double>(all->longest)),
           static_cast<unsigned long long>(all->pauses),
           static_cast<unsigned long long>(all->preempted), overhead / per_nanosecond);
}

}  // namespace

bool print_report(const Workload& workload, const Crew& crew, const Slice& total,
                  std::uint64_t peak_rss_kib) {
  const auto operations = static_cast<double>(total.operations);
  const auto wall = static_cast<double>(total.wall_nanoseconds);
  const auto cpu = static_cast<double>(total.cpu_nanoseconds);
  Text text;
  text.add("{\"workload\": \"%s\", \"threads\": %u, \"operation\": \"%s\", ", workload.name,
           crew.count(), workload.operation);
  text.add("\"operations\": %llu, \"seconds\": %.6f, \"operations_per_second\": %.0f, ",
           static_cast<unsigned long long>(total.operations), wall / 1e9,
           ratio(operations * 1e9, wall));
  text.add("\"cpu_ns_per_operation\": %.3f, \"peak_rss_kib\": %llu, ", ratio(cpu, operations),
           static_cast<unsigned long long>(peak_rss_kib));
  add_fairness(text, crew);
  if (crew.members()[0].latency != nullptr) {
    add_latency(text, crew, Latency::kMalloc, "malloc");
    add_latency(text, crew, Latency::kFree, "free");
  }
  text.add("}\n");
  return text.print();
}

}  // namespace bench
