// The next-target analysis: where the time goes, what could be tried there, what it could bring.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "profile_report.hpp"

namespace hakmem::tools {
namespace {

struct Option {
  const char* place;  // part of the names of the functions that it is about
  const char* what;
  double removes;  // the share of the function's own time that it might remove, at best
  const char* risk;
  const char* experiment;  // the name of its ledger entry, where it was tried or reported
  bool keeps_box_rules;
};

// What was once listed as worth trying, and what the design leaves open.
constexpr Option kOptions[] = {
    {"malloc", "the decision path always inlined", 0.05, "layout: the hot code grows",
     "always-inline", true},
    {"malloc", "routing table with one entry for each size, no shift", 0.08,
     "64 times the table, in the first-level cache", "", true},
    {"malloc", "fewer gates on the path", 0.0, "none are left on it", "gate-pruning", true},
    {"free", "the region id loaded early, before the tag", 0.08,
     "none but layout; the processor may do it already", "", true},
    {"free", "region ids of a small heap in huge pages", 0.10,
     "memory: a page of 2 MiB for a small program", "", true},
    {"free", "fewer branches", 0.05, "branches that predict well cost less than what replaces them",
     "branch-elimination", true},
    {"unified_cache_pop", "prefetch of the next object", 0.15,
     "useless where the object is in the cache, harmful where it is not used soon", "", true},
    {"unified_cache_pop", "dependency chain reordered: the top stored before the null check", 0.10,
     "a store on the path that fails", "", true},
    {"unified_cache_push", "free-side batching: several frees handled as one", 0.15,
     "an array before the array: one more branch for each free", "", true},
    {"unified_cache_push", "limit and top in one word", 0.10,
     "two more instructions to take it apart", "", false},
    {"tiny_c7_ultra", "early load or prefetch of the C7 cache's words", 0.10,
     "a load for each call that is not of C7", "tls-prefetch", true},
    {"tiny_c7_ultra", "larger first batches", 0.02, "peak RSS of small programs", "", true},
    {"carve", "batch sizes of carve and refill", 0.20, "peak RSS", "", true},
    {"refill", "batch sizes of carve and refill", 0.20, "peak RSS", "", true},
    {"region_id", "the write of the region id reordered, consolidated or bypassed", 0.30,
     "ids that are late when another thread frees", "header-write", true},
    {"span", "segment pre-allocation (HAKMEM_SEGMENT_SLABS)", 0.30, "peak RSS", "", true},
    {"flush", "a larger cache (HAKMEM_CACHE_BUDGET)", 0.50, "memory that waits in caches", "",
     true},
    {"page_fault", "fewer first touches: fuller slabs, larger commit steps", 0.20,
     "none; bounded by what the program touches", "", true},
};

// Gain of the whole when a part of it is gone.
double amdahl(double removed) { return removed >= 1 ? HUGE_VAL : 1 / (1 - removed) - 1; }

std::vector<Option> options_for(const std::string& function) {
  std::vector<Option> options;
  for (const Option& option : kOptions) {
    const bool whole = std::string(option.place) == "malloc" || std::string(option.place) == "free";
    const bool fits =
        whole ? function == option.place : function.find(option.place) != std::string::npos;
    if (fits) options.push_back(option);
  }
  return options;
}

std::string precedents_text(const Ledger& found) {
  std::string text;
  for (const lab::LedgerEntry& entry : found) text += "- " + text_of(entry) + "\n";
  return text.empty() ? "- none in the ledger\n" : text;
}

const lab::LedgerEntry* entry_named(const Ledger& ledger, const std::string& name) {
  const auto found = std::find_if(ledger.begin(), ledger.end(),
                                  [&](const auto& entry) { return entry.name == name; });
  return found == ledger.end() ? nullptr : &*found;
}

std::string target_text(std::size_t number, const FunctionShare& function, const Profile& profile,
                        const Ledger& ledger) {
  const Share self = share_of(function.self, profile.samples);
  std::string text = fmt::format(
      "## {}. `{}`\n\nSelf {:.1f} % ({:.1f} to {:.1f}) of {} samples. If it cost nothing at all, "
      "the "
      "program would be {:.1f} % faster\n(at most {:.1f} %): that is the most that can be won "
      "here.\n\n",
      number, function.name, 100 * self.value, 100 * self.low, 100 * self.high, profile.samples,
      100 * amdahl(self.value), 100 * amdahl(self.high));
  const std::vector<Option> options = options_for(function.name);
  if (options.empty()) {
    text += "No option is listed for it; read its instructions first: `hakmem asm '" +
            function.name + "'`.\n";
  } else {
    text +=
        "| option | expected gain, at best (of its own time gone) | risk | precedent | keeps the "
        "box rules |\n"
        "|---|---|---|---|---|\n";
    for (const Option& option : options) {
      const lab::LedgerEntry* entry = entry_named(ledger, option.experiment);
      text += fmt::format(
          "| {} | {:+.1f} % ({:.0f} %) | {} | {} | {} |\n", option.what,
          100 * amdahl(self.value * option.removes), 100 * option.removes, option.risk,
          entry == nullptr ? "none" : text_of(*entry),
          option.keeps_box_rules ? "yes, as a gate" : "no, more than one place changes");
    }
  }
  return text + "\nPrecedents:\n\n" + precedents_text(precedents_of(ledger, function.name)) + "\n";
}

}  // namespace

std::string plan_of(const ProfileReport& report, const Ledger& ledger) {
  constexpr std::size_t kTargets = 6;
  const Profile& profile = report.profile;
  const Share all = share_of(profile.in_allocator, profile.samples);
  std::string text = fmt::format(
      "# Next targets: {} under {} {}\n\n"
      "From {} samples ({}). The allocator has {:.1f} % ({:.1f} to {:.1f}) of them: an allocator "
      "that cost nothing\nwould make this program {:.1f} % faster. Shares are of the outlined "
      "build, "
      "in which boundaries are calls",
      profile.command, profile.allocator.name, profile.version, profile.samples, profile.method,
      100 * all.value, 100 * all.low, 100 * all.high, 100 * amdahl(all.value));
  text +=
      profile.slowdown
          ? fmt::format(
                "\n(it is {:.2f} times as slow as release): small ones are smaller there. What an "
                "option takes\naway of its function's own time is a guess made "
                "before the experiment, in brackets.\n\n",
                profile.slowdown->median)
          : std::string(".\n\n");
  std::vector<const FunctionShare*> targets;
  for (const FunctionShare& function : profile.functions) {
    if (function.of_allocator && function.self > 0 && targets.size() < kTargets) {
      targets.push_back(&function);
    }
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    text += target_text(i + 1, *targets[i], profile, ledger);
  }

  struct Step {
    double gain;
    std::string text;
  };
  std::vector<Step> steps;
  for (const FunctionShare* target : targets) {
    for (const Option& option : options_for(target->name)) {
      // What was tried and lost goes last.
      const lab::LedgerEntry* entry = entry_named(ledger, option.experiment);
      const bool lost = entry != nullptr && entry->verdict == "NO-GO";
      const double gain = amdahl(share_of(target->self, profile.samples).value * option.removes);
      if (gain <= 0) continue;
      steps.push_back(
          {lost ? gain / 100 : gain,
           fmt::format("{} (`{}`, at best {:+.1f} %)", option.what, target->name, 100 * gain)});
    }
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const Step& a, const Step& b) { return a.gain > b.gain; });
  text += "## Order\n\n";
  if (steps.empty()) text += "Nothing is listed for these functions.\n";
  for (std::size_t i = 0; i < steps.size(); ++i)
    text += fmt::format("{}. {}\n", i + 1, steps[i].text);
  text +=
      "\n## When to stop\n\n"
      "- An option is over with its verdict (`hakmem ab`, threshold 0.5 %): GO is adopted, NO-GO "
      "and\n"
      "  NEUTRAL are reverted or kept as a gate for research; either way the ledger gets an "
      "entry.\n"
      "- A target is over when what is left of it cannot bring 0.5 % (Amdahl), or after three "
      "options\n"
      "  without GO.\n"
      "- Profile anew after each GO: shares move.\n"
      "\n## Box rules that each option keeps\n\n"
      "- one conversion point and a clear boundary, which the outlined build keeps as a function;\n"
      "- reversible by a gate in `config/options.def`; no side effect outside the box;\n"
      "- no gate, counter or call on the fast path of the release flavour: `tests/rules` holds "
      "the\n"
      "  number of instructions.\n";
  return text;
}

}  // namespace hakmem::tools
