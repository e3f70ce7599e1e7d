#include <algorithm>

#include "hakmem/base/text.hpp"
#include "hakmem/boxes/census.hpp"
#include "hakmem/boxes/statistics.hpp"

namespace hakmem {
namespace {

// Writes what fits, counts all.
class Out {
 public:
  Out(char* buffer, std::size_t size) : buffer_(buffer), size_(size) {}

  void add(const Text& text) {
    for (const char c : text.view()) {
      if (length_ + 1 < size_) buffer_[length_] = c;
      ++length_;
    }
  }
  // Of an object, but not its first.
  void member(const char* name, std::uint64_t value) {
    add(Text().add(", \"").add(name).add("\": ").add_number(value));
  }
  std::size_t finish() {
    if (size_ != 0) buffer_[length_ < size_ ? length_ : size_ - 1] = '\0';
    return length_;
  }

 private:
  char* buffer_;
  std::size_t size_;
  std::size_t length_ = 0;
};

void add_class(Out& out, unsigned c, const ClassSums& sums) {
  out.add(Text().add("{\"size\": ").add_number(kSizeClasses[c].size));
  out.add(Text().add(", \"aligned\": ").add(c < kOrdinaryClasses ? "false" : "true"));
  for (const CounterName& counter : kCounterNames) {
    out.member(counter.name, sums.counters.*counter.value);
  }
  out.member("slabs", sums.slabs);
  out.member("slab_bytes", sums.slab_bytes);
  out.member("out_bytes", sums.out_bytes);
  out.add(Text().add("}"));
}

}  // namespace

std::size_t json_statistics(char* buffer, std::size_t size) {
  const Census census = take_census();
  const hak_stats_t memory = memory_statistics(census, true);
  Out out(buffer, size);
  out.add(Text().add("{\"version\": ").add_number(HAKMEM_VERSION));
  for (const StatisticName& part : kStatisticNames) out.member(part.name, memory.*part.value);
  out.add(Text().add(", \"classes\": ["));
  const char* separator = "";
  for (unsigned c = 0; c < kClasses; ++c) {
    if (census.by_class[c].is_unused()) continue;
    out.add(Text().add(separator));
    separator = ", ";
    add_class(out, c, census.by_class[c]);
  }
  out.add(Text().add("]}\n"));
  return out.finish();
}

void print_json_statistics(int fd) {
  char text[24576];  // enough for all classes with numbers of ten digits
  const std::size_t length = json_statistics(text, sizeof text);
  write_all(fd, {text, std::min(length, sizeof text - 1)});
}

}  // namespace hakmem
