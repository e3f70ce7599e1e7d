#include "hakmem/slab/pages.hpp"

#include <algorithm>
#include <bit>

#include "hakmem/arena/spans.hpp"
#include "hakmem/os/memory.hpp"
#include "hakmem/slab/local_bits.hpp"

namespace hakmem {
namespace {

struct Range {
  unsigned first, end;
};

// Bits [first, end) of a word, 0 <= first < end <= 64.
std::uint64_t ones(unsigned first, unsigned end) {
  return ~std::uint64_t{0} >> ((64 - (end - first)) & 63) << first;
}

// The pages of a slab by number, and the objects that touch them.
class Pages {
 public:
  explicit Pages(Descriptor* slab)
      : slab_(slab),
        k_(class_of(slab)),
        shift_(static_cast<unsigned>(std::countr_zero(os::page_size()))),
        region_shift_(kRegionShift - shift_) {}

  unsigned count() const { return slab_->regions << region_shift_; }
  std::size_t bytes(unsigned pages) const { return std::size_t{pages} << shift_; }

  bool is_given(unsigned page) const { return (marks(page) & bit(page)) != 0; }
  void set_given(unsigned page) { marks(page) |= bit(page); }
  bool any_given(Range pages) const {
    for (unsigned page = pages.first; page < pages.end; ++page) {
      if (is_given(page)) return true;
    }
    return false;
  }
  // How many of the pages were marked.
  unsigned set_resident(Range pages) {
    unsigned marked = 0;
    for (unsigned page = pages.first; page < pages.end; ++page) {
      if (!is_given(page)) continue;
      marks(page) ^= bit(page);
      ++marked;
    }
    return marked;
  }

  // The objects below `limit` that touch the page.
  Range objects_on(unsigned page, unsigned limit) const {
    const std::size_t begin = bytes(page);
    const std::size_t end = bytes(page + 1);
    if (end <= slab_start(slab_)) return {0, 0};
    const unsigned first = begin <= slab_start(slab_) ? 0 : index_at(begin);
    return {std::min(first, limit), std::min(index_at(end - 1) + 1, limit)};
  }

  // No object touches it, handed out or not.
  bool is_slack(unsigned page) const {
    const Range objects = objects_on(page, capacity_of(slab_));
    return objects.first == objects.end;
  }

  // The pages that the objects touch, of which there is at least one.
  Range pages_of(Range objects) const {
    const std::size_t begin = slab_start(slab_) + std::size_t{objects.first} * k_.size;
    const std::size_t last = slab_start(slab_) + std::size_t{objects.end} * k_.size - 1;
    return {static_cast<unsigned>(begin >> shift_), static_cast<unsigned>(last >> shift_) + 1};
  }

  // The objects of word `w` of the bitmap that touch a page which was given back.
  std::uint64_t objects_beside(unsigned w) const {
    const Range objects{w * 64, std::min(w * 64 + 64, capacity_of(slab_))};
    const Range pages = pages_of(objects);
    std::uint64_t mask = 0;
    for (unsigned page = pages.first; page < pages.end; ++page) {
      if (!is_given(page)) continue;
      const Range some = objects_on(page, objects.end);
      mask |= ones(std::max(some.first, objects.first) - objects.first, some.end - objects.first);
    }
    return mask;
  }

 private:
  unsigned index_at(std::size_t offset) const {
    return static_cast<unsigned>((offset - slab_start(slab_)) * k_.reciprocal >> kReciprocalShift);
  }
  std::uint16_t& marks(unsigned page) const { return slab_[page >> region_shift_].slab.given; }
  std::uint16_t bit(unsigned page) const {
    return static_cast<std::uint16_t>(1u << (page & ((1u << region_shift_) - 1)));
  }

  Descriptor* slab_;
  const SizeClass& k_;
  unsigned shift_;
  unsigned region_shift_;  // from pages to regions
};

bool all_free(const LocalBits& bits, Range objects) {
  for (unsigned i = objects.first; i < objects.end;) {
    const unsigned end = std::min(objects.end, (i / 64 + 1) * 64);
    const std::uint64_t wanted = ones(i % 64, end - i / 64 * 64);
    if ((bits.word(i / 64) & wanted) != wanted) return false;
    i = end;
  }
  return true;
}

// As if all pages were used at once: a slab's are few.
bool can_refill(const Pages& pages) { return spans_can_refill(pages.bytes(pages.count())); }

void use_pages(Pages& pages, Range objects) {
  const unsigned marked = pages.set_resident(pages.pages_of(objects));
  if (marked != 0) bytes_given_back.fetch_sub(pages.bytes(marked), std::memory_order_relaxed);
}

}  // namespace

std::size_t slab_give_back(Descriptor* slab) {
  if (slab->slab.keeps) return 0;
  Pages pages(slab);
  const LocalBits bits(slab);
  const auto can_go = [&](unsigned page) {
    return pages.is_given(page) || all_free(bits, pages.objects_on(page, slab->slab.frontier));
  };
  unsigned gone = 0;
  unsigned slack = 0;
  for (unsigned first = 0; first < pages.count();) {
    unsigned end = first;
    unsigned resident = 0;
    for (; end < pages.count() && can_go(end); ++end) resident += pages.is_given(end) ? 0 : 1;
    if (resident != 0) {
      if (!os::purge(memory_of(slab) + pages.bytes(first), pages.bytes(end - first))) {
        slab->slab.keeps = true;
        break;
      }
      for (unsigned page = first; page < end; ++page) {
        if (!pages.is_given(page) && pages.is_slack(page)) ++slack;
        pages.set_given(page);
      }
      gone += resident;
    }
    first = end + 1;
  }
  if (gone == 0) return 0;
  slab->slab.holes = true;
  bytes_given_back.fetch_add(pages.bytes(gone), std::memory_order_relaxed);
  slack_given_back.fetch_add(pages.bytes(slack), std::memory_order_relaxed);
  return pages.bytes(gone);
}

unsigned slab_take_beside_holes(Descriptor* slab, void** end, unsigned count) {
  const SizeClass& k = class_of(slab);
  Pages pages(slab);
  LocalBits bits(slab);
  char* first = memory_of(slab) + slab_start(slab);
  unsigned taken = 0;
  for (const bool from_holes : {false, true}) {
    if (from_holes && taken < count && !can_refill(pages)) break;
    for (unsigned w = 0; w < k.words && taken < count; ++w) {
      const std::uint64_t word = bits.word(w);
      if (word == 0) continue;
      const std::uint64_t later = from_holes ? 0 : word & pages.objects_beside(w);
      std::uint64_t now = word ^ later;
      for (; now != 0 && taken < count; now &= now - 1, ++taken) {
        const unsigned index = w * 64 + lowest_bit(now);
        *--end = first + std::size_t{index} * k.size;
        if (from_holes) use_pages(pages, {index, index + 1});
      }
      bits.store(w, now | later);
    }
  }
  return taken;
}

bool slab_use_pages(Descriptor* slab, unsigned first, unsigned end) {
  if (first >= end) return true;
  Pages pages(slab);
  const Range touched = pages.pages_of({first, end});
  if (pages.any_given(touched) && !can_refill(pages)) return false;
  use_pages(pages, {first, end});
  return true;
}

void slab_forget_holes(Descriptor* slab) {
  Pages pages(slab);
  unsigned slack = 0;
  for (unsigned page = 0; page < pages.count(); ++page) {
    if (pages.is_given(page) && pages.is_slack(page)) ++slack;
  }
  slack_given_back.fetch_sub(pages.bytes(slack), std::memory_order_relaxed);
  const unsigned marked = pages.set_resident({0, pages.count()});
  bytes_given_back.fetch_sub(pages.bytes(marked), std::memory_order_relaxed);
}

}  // namespace hakmem
