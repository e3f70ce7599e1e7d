// What the measuring subcommands are made of: what other programs print is read rightly.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bench_runs.hpp"
#include "chain.hpp"
#include "events.hpp"
#include "machine_code.hpp"
#include "precedents.hpp"
#include "profile_report.hpp"
#include "samples.hpp"
#include "workloads.hpp"

namespace hakmem::tools {
namespace {

using Names = std::vector<std::string>;

TEST(Names, LoseParametersAndReturnTypes) {
  EXPECT_EQ(without_parameters("malloc"), "malloc");
  EXPECT_EQ(without_parameters("hakmem::f(int, char (*)(long))"), "hakmem::f");
  EXPECT_EQ(without_parameters("void* hakmem::f<&hakmem::g>(unsigned long)"),
            "hakmem::f<&hakmem::g>");
  EXPECT_EQ(without_parameters("hakmem::(anonymous namespace)::h(int)"),
            "hakmem::(anonymous namespace)::h");
  EXPECT_EQ(without_parameters("operator new(unsigned long)"), "operator new");
  EXPECT_EQ(without_parameters("A::operator()(int) const"), "A::operator()");
  EXPECT_EQ(without_parameters("cooperator(int)"), "cooperator");
}

TEST(PerfScript, BecomesStacks) {
  const std::vector<Stack> stacks = parse_perf_script(
      "\n\t 4371 free+0x11 (/lib/libx.so)\n\t 1cf4 bench::Mixed::run(unsigned long)+0x34 (/bin/b)\n"
      "\n\n\t 10 [unknown] (/lib/y.so)\n");
  ASSERT_EQ(stacks.size(), 2U);
  ASSERT_EQ(stacks[0].size(), 2U);
  EXPECT_EQ(stacks[0][0], (Frame{"free", "/lib/libx.so", 0x11}));
  EXPECT_EQ(stacks[0][1], (Frame{"bench::Mixed::run", "/bin/b", 0x34}));
  EXPECT_EQ(stacks[1][0].function, "[y.so]");
}

TEST(Shares, HaveWilsonsInterval) {
  const Share half = share_of(50, 100);
  EXPECT_NEAR(half.low, 0.4038, 0.0005);
  EXPECT_NEAR(half.high, 0.5962, 0.0005);
  EXPECT_GT(share_of(0, 100).high, 0.03);
  for (std::uint64_t total = 1; total < 1000; ++total) {  // whatever the sums are rounded to
    EXPECT_EQ(share_of(0, total).low, 0) << total;
    EXPECT_EQ(share_of(total, total).high, 1) << total;
  }
}

Sampling sampling_of(const std::vector<Stack>& stacks) {
  Sampling sampling;
  sampling.method = "test";
  sampling.stacks = stacks;
  sampling.has_callers = true;
  return sampling;
}

TEST(Profiles, CountSelfStackAndPaths) {
  const std::string library = std::filesystem::canonical("/proc/self/exe");
  const Frame malloc{"malloc", library, 4}, pop{"hakmem::pop", library, 8};
  const Frame free{"free", library, 4}, main{"main", "/bin/x", 0}, copy{"copy_page", "[k]", 0};
  const Profile profile = make_profile(sampling_of({{pop, malloc, main},
                                                    {malloc, main},
                                                    {free, main},
                                                    {main},
                                                    {copy, pop, malloc, main},
                                                    {pop, pop, malloc, main}}),
                                       {"subject", library, {}});
  EXPECT_EQ(profile.in_allocator, 5U);
  EXPECT_EQ(profile.allocating, 4U);
  EXPECT_EQ(profile.freeing, 1U);
  ASSERT_FALSE(profile.functions.empty());
  const FunctionShare& first = profile.functions.front();
  EXPECT_EQ(first.name, "hakmem::pop");
  EXPECT_EQ(first.self, 2U);
  EXPECT_EQ(first.with_callees, 3U) << "recursion counts once";
  EXPECT_TRUE(first.of_allocator);
  EXPECT_EQ(first.offsets.at(8), 2U);
}

TEST(Profiles, ChangesHaveAnInterval) {
  const Frame a{"a", "/bin/x", 0}, b{"b", "/bin/x", 0};
  const auto of = [&](int some) {
    std::vector<Stack> stacks(static_cast<std::size_t>(some), Stack{a});
    stacks.resize(1000, Stack{b});
    return make_profile(sampling_of(stacks), {"subject", "", {}});
  };
  const Profile before = of(100);
  const Profile now = of(300);
  const Share change = change_of(now.functions[1], now, before);
  EXPECT_NEAR(change.value, 0.2, 1e-9);
  EXPECT_GT(change.low, 0.15);
  EXPECT_LT(change.high, 0.25);
}

TEST(Cachegrind, IsSummedByFunction) {
  const Simulation simulation = parse_cachegrind(
      "desc: x\ncmd: y\nevents: Ir I1mr ILmr Dr D1mr DLmr Dw D1mw DLmw Bc Bcm Bi Bim\n"
      "fl=a.cpp\nfn=f(int)\n3 10 1 0 2 3 0 1 1 0 4 2 0 0\n"
      "fl=b.hpp\nfn=f(int)\n9 5 0 0 0 0 0 0 0 0 0 0 0 1\n"
      "fl=c.cpp\nfn=g\n1 1 0 1 0 0 0 0 0 0 0 0 0 0\n"
      "summary: 16 1 1 2 3 0 1 1 0 4 2 0 1\n");
  ASSERT_EQ(simulation.functions.size(), 2U);
  EXPECT_EQ(simulation.functions[0].name, "f");
  EXPECT_EQ(simulation.functions[0].instructions, 15U);
  EXPECT_EQ(simulation.functions[0].data_misses, 4U);
  EXPECT_EQ(simulation.functions[0].branch_misses, 3U);
  EXPECT_EQ(simulation.total.instructions, 16U);
  EXPECT_EQ(simulation.total.last_misses, 1U);
  EXPECT_EQ(simulation.functions[1].cycles(), 101);
}

lab::LedgerEntry entry_of(unsigned number, const char* verdict, const char* hypothesis) {
  lab::LedgerEntry entry;
  entry.number = number;
  entry.name = "an-experiment";
  entry.verdict = verdict;
  entry.hypothesis = hypothesis;
  return entry;
}

TEST(Precedents, AreSearchedForWholeWords) {
  const Ledger ledger = {entry_of(1, "GO", "unified_cache_push earlier"),
                         entry_of(14, "NO-GO", "the unified_cache_push_all loop"),
                         entry_of(15, "NEUTRAL", "malloc")};
  EXPECT_EQ(status_of(ledger, "hakmem::unified_cache_push"), "known: GO in ledger 001");
  EXPECT_EQ(status_of(ledger, "unified_cache_push_all"), "known: NO-GO in ledger 014");
  EXPECT_EQ(status_of(ledger, "unified_cache_pop"), "");
  EXPECT_EQ(status_of(ledger, "malloc"), "") << "too common a word";
}

TEST(Disassembly, IsRead) {
  const std::vector<Instruction> code = parse_disassembly(
      "0000000000004640 <malloc>:\nmalloc():\n/src/fast_path.hpp:85 (discriminator 1)\n"
      "    4640:\tcmp    $0x400,%rdi\n    4647:\tja     4680 <malloc+0x40>\n"
      "/src/cache.hpp:47\n    4649:\tlea    0xf(%rdi),%rax\n");
  ASSERT_EQ(code.size(), 3U);
  EXPECT_EQ(code[0].file, "/src/fast_path.hpp");
  EXPECT_EQ(code[0].line, 85U);
  EXPECT_EQ(code[1].target, 0x4680U);
  EXPECT_EQ(code[2].line, 47U);
  EXPECT_FALSE(code[2].target.has_value());
}

TEST(StraightPath, FollowsJumpsWithinTheFunctionAndEndsAtTheReturn) {
  Function function;
  const auto add = [&](std::uint64_t address, const char* text,
                       std::optional<std::uint64_t> target = std::nullopt) {
    function.instructions.push_back({address, text, "", 0, target});
  };
  add(0, "je     30 <f+0x30>", 0x30);
  add(2, "jmp    10 <f+0x10>", 0x10);
  add(4, "mov    %rax,%rbx");
  add(0x10, "nop");
  add(0x12, "add    $0x1,%rax");
  add(0x14, "ret");
  add(0x30, "ud2");
  Names texts;
  for (const Instruction& instruction : straight_path(function)) texts.push_back(instruction.text);
  EXPECT_EQ(texts, (Names{"je     30 <f+0x30>", "add    $0x1,%rax", "ret"}));
}

TEST(Effects, OfTheInstructionsOfTheFastPath) {
  const Effects load = effects_of("mov    %fs:(%rcx,%rsi,8),%rax");
  EXPECT_TRUE(load.loads);
  EXPECT_FALSE(load.stores);
  EXPECT_EQ(load.reads, (Names{"rcx", "rsi"}));
  EXPECT_EQ(load.writes, Names{"rax"});

  const Effects store = effects_of("mov    %edi,0x8(%rax)");
  EXPECT_TRUE(store.stores);
  EXPECT_FALSE(store.loads);
  EXPECT_EQ(store.reads, (Names{"rdi", "rax"}));
  EXPECT_TRUE(store.writes.empty());

  const Effects update = effects_of("addq   $0x1,0x10(%r8)");
  EXPECT_TRUE(update.loads && update.stores);

  const Effects compare = effects_of("cmp    %rax,%fs:0x20(%rdx,%rdi,8)");
  EXPECT_TRUE(compare.loads);
  EXPECT_FALSE(compare.stores);
  EXPECT_EQ(compare.writes, Names{"flags"});

  EXPECT_TRUE(effects_of("xor    %eax,%eax").reads.empty()) << "a zero waits for nothing";
  const Effects address = effects_of("lea    0xf(%rdi),%rax");
  EXPECT_FALSE(address.loads);
  EXPECT_EQ(address.reads, Names{"rdi"});
  EXPECT_EQ(effects_of("ja     4680 <malloc+0x40>").reads, Names{"flags"});
  EXPECT_TRUE(effects_of("sar    $0x3,%r10d").writes == (Names{"r10", "flags"}));
  EXPECT_TRUE(effects_of("lock cmpxchg %edx,(%rdi)").stores);
  EXPECT_EQ(effects_of("movzbl (%rdx,%rax,1),%esi").writes, Names{"rsi"});
}

// A chain without llvm-mca: each instruction takes a cycle, loads take five.
TEST(Chain, FindsTheCriticalPathAndMovableStores) {
  std::vector<Instruction> path;
  Model model;
  model.load_latency = 5;
  const auto add = [&](const char* text, bool loads) {
    path.push_back({path.size(), text, "", 0, std::nullopt});
    model.costs.push_back({loads ? 5 : 1, 1, loads});
  };
  add("mov    (%rdi),%rax", true);
  add("mov    %rsi,0x8(%rdi)", false);
  add("mov    (%rax),%rdx", true);
  add("mov    0x8(%rdi),%rcx", true);
  const Chain chain = chain_of(path, model, 0);
  EXPECT_EQ(chain.length, 10);
  EXPECT_TRUE(chain.links[0].critical);
  EXPECT_FALSE(chain.links[1].critical);
  EXPECT_TRUE(chain.links[2].critical);
  EXPECT_EQ(chain.links[1].slack, 4) << "its load must still finish";
  EXPECT_EQ(chain.movable_stores, std::vector<std::size_t>{1});
  ASSERT_EQ(chain.load_use.size(), 1U);
  EXPECT_EQ(chain.load_use[0].to, 2U);
  EXPECT_EQ(chain.load_use[0].cycles, 5);
  ASSERT_EQ(chain.store_use.size(), 1U);
  EXPECT_EQ(chain.store_use[0].to, 3U);
  EXPECT_EQ(chain_of(path, model, 40).length, 80);
}

TEST(Tables, AreAsWideAsTheyNeed) {
  EXPECT_EQ(layout_table({{"name", "n"}, {"a", "100"}, {"b"}}), "name    n\na     100\nb\n");
}

TEST(Pages, EscapeWhatTheyShow) {
  BenchTable table;
  table.title = "a <b> & \"c\"";
  table.failed.emplace_back("x", "died of <signal>");
  const std::string page = bench_page({table}, "m & n");
  EXPECT_NE(page.find("a &lt;b&gt; &amp; &quot;c&quot;"), std::string::npos) << page;
  EXPECT_NE(page.find("died of &lt;signal&gt;"), std::string::npos) << page;
  EXPECT_NE(page.find("m &amp; n"), std::string::npos) << page;
}

TEST(Workloads, HaveTheSizesThatTheProjectIsHeldTo) {
  EXPECT_EQ(workload_named("mixed", 0).working_set, 400U);
  EXPECT_FALSE(workload_named("mixed-1m", 8).threaded());
  EXPECT_TRUE(workload_named("mixed", 2).threaded());
  EXPECT_EQ(workload_named("larson", 3).threads, 3U);
  EXPECT_EQ(short_name(workload_named("mixed-64k", 0)), "mixed-64k");
  EXPECT_THROW(workload_named("mixt", 0), lab::UsageError);
}

TEST(Plan, WorksOutWhatCanBeWon) {
  const std::string library = std::filesystem::canonical("/proc/self/exe");
  const Frame push{"hakmem::unified_cache_push", library, 0}, main{"main", "/bin/x", 0};
  std::vector<Stack> stacks(20, Stack{push, main});
  stacks.resize(100, Stack{main});
  ProfileReport report;
  report.profile = make_profile(sampling_of(stacks), {"subject", library, {}});
  const std::string plan =
      plan_of(report, {entry_of(7, "NO-GO", "unified_cache_push in two steps")});
  // A fifth of the time gone makes the rest 25 % faster.
  EXPECT_NE(plan.find("25.0 % faster"), std::string::npos) << plan;
  EXPECT_NE(plan.find("ledger 007, an-experiment: NO-GO, open"), std::string::npos) << plan;
  EXPECT_NE(plan.find("free-side batching"), std::string::npos) << plan;
}

}  // namespace
}  // namespace hakmem::tools
