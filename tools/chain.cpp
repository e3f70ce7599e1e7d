#include "chain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

#include "child.hpp"

namespace hakmem::tools {
namespace {

using Json = nlohmann::ordered_json;

// As the assembler takes it: without objdump's remarks, jumps to nowhere in particular.
std::string assembly_of(const Instruction& instruction) {
  std::string text = instruction.text.substr(0, instruction.text.find_first_of("#<"));
  text = std::regex_replace(text, std::regex("^(notrack|bnd) "), "");
  if (instruction.target) text = text.substr(0, text.find(' ')) + " 1f";
  return text;
}

Json run_llvm_mca(const std::string& assembly, const std::string& processor) {
  if (!has_program("llvm-mca")) {
    throw std::runtime_error("llvm-mca is missing (package llvm; script/setup lab)");
  }
  const TemporaryFolder folder;
  const std::string file = folder.path() / "path.s";
  std::ofstream(file) << assembly;
  std::vector<std::string> command = {"llvm-mca", "--json", "--iterations=100", "--dispatch-stats"};
  if (!processor.empty()) command.push_back("--mcpu=" + processor);
  command.push_back(file);
  const Finished run = run_child(command);
  if (!run.ok()) throw std::runtime_error("llvm-mca: " + run.err.substr(0, run.err.find('\n')));
  return Json::parse(run.out);
}

}  // namespace

Model ask_llvm_mca(const std::vector<Instruction>& path, const std::string& processor) {
  std::string assembly;
  for (const Instruction& instruction : path) assembly += assembly_of(instruction) + "\n";
#if defined(__x86_64__)
  // A region of its own: what a load costs by itself.
  assembly = "# LLVM-MCA-BEGIN path\n" + assembly + "1:\n# LLVM-MCA-END\n" +
             "# LLVM-MCA-BEGIN load\nmovq (%rdi), %rax\n# LLVM-MCA-END\n";
#else
  assembly = "// LLVM-MCA-BEGIN path\n" + assembly + "1:\n// LLVM-MCA-END\n" +
             "// LLVM-MCA-BEGIN load\nldr x0, [x1]\n// LLVM-MCA-END\n";
#endif
  const Json document = run_llvm_mca(assembly, processor);
  Model model;
  model.processor = document.at("TargetInfo").at("CPUName");
  for (const Json& region : document.at("CodeRegions")) {
    const Json& list = region.at("InstructionInfoView").at("InstructionList");
    if (region.at("Name") == "load") {
      model.load_latency = list.at(0).at("Latency");
      continue;
    }
    for (const Json& one : list) {
      model.costs.push_back({one.at("Latency"), one.at("NumMicroOpcodes"), one.at("mayLoad")});
    }
    const Json& summary = region.at("SummaryView");
    const double iterations = summary.at("Iterations");
    const double cycles = summary.at("TotalCycles");
    model.cycles = cycles / iterations;
    model.ipc = summary.at("IPC");
    double stalls = 0;
    for (const Json& count : region.at("DispatchStatistics")) stalls += count.get<double>();
    model.stalled = cycles > 0 ? std::min(1.0, stalls / cycles) : 0;
    std::map<std::size_t, double> pressure;
    for (const Json& use : region.at("ResourcePressureView").at("ResourcePressureInfo")) {
      // The last "instruction" is the sum.
      if (use.at("InstructionIndex") != list.size()) continue;
      pressure[use.at("ResourceIndex")] = use.at("ResourceUsage");
    }
    const Json& names = document.at("TargetInfo").at("Resources");
    for (const auto& [unit, cycles_used] : pressure) {
      model.pressure.emplace_back(names.at(unit), cycles_used);
    }
  }
  if (model.costs.size() != path.size()) {
    throw std::runtime_error("llvm-mca does not know all of these instructions");
  }
  return model;
}

Chain chain_of(const std::vector<Instruction>& path, const Model& model, double load_latency) {
  if (load_latency <= 0) load_latency = model.load_latency;
  const std::size_t count = path.size();
  Chain chain;
  chain.links.resize(count);
  std::vector<Effects> effects;
  std::vector<double> latency;
  std::map<std::string, std::size_t> last_writer;
  std::map<std::string, std::size_t> last_store;  // by the operand's text
  for (std::size_t i = 0; i < count; ++i) {
    effects.push_back(effects_of(path[i].text));
    const Effects& now = effects.back();
    const bool loads = now.loads && !now.jumps;
    const double own = model.costs[i].latency;
    latency.push_back(loads ? std::max(1.0, own - model.load_latency + load_latency) : own);
    Link& link = chain.links[i];
    for (const std::string& reg : now.reads) {
      const auto writer = last_writer.find(reg);
      if (writer != last_writer.end()) link.waits_for.push_back(writer->second);
    }
    if (const auto store = last_store.find(now.memory); now.loads && store != last_store.end()) {
      link.waits_for.push_back(store->second);
    }
    std::sort(link.waits_for.begin(), link.waits_for.end());
    link.waits_for.erase(std::unique(link.waits_for.begin(), link.waits_for.end()),
                         link.waits_for.end());
    for (const std::size_t before : link.waits_for) {
      link.start = std::max(link.start, chain.links[before].finish);
    }
    link.finish = link.start + latency[i];
    chain.length = std::max(chain.length, link.finish);
    for (const std::string& reg : now.writes) {
      last_writer[reg] = i;
      // Another value in the register is another address.
      std::erase_if(last_store, [&](const auto& entry) {
        return entry.first.find("%" + reg) != std::string::npos;
      });
    }
    if (now.stores && !now.memory.empty()) last_store[now.memory] = i;
  }
  // Backwards: how late each may finish.
  std::vector<double> latest(count, chain.length);
  for (std::size_t i = count; i-- > 0;) {
    chain.links[i].slack = latest[i] - chain.links[i].finish;
    chain.links[i].critical = chain.links[i].slack < 0.5;
    for (const std::size_t before : chain.links[i].waits_for) {
      latest[before] = std::min(latest[before], latest[i] - latency[i]);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (effects[i].jumps) continue;
    bool used = false;
    for (std::size_t j = i + 1; j < count && !used; ++j) {
      const auto& waits = chain.links[j].waits_for;
      if (std::find(waits.begin(), waits.end(), i) == waits.end()) continue;
      used = true;
      const Distance distance{i, j, chain.links[j].start - chain.links[i].start};
      const bool by_memory =
          effects[i].stores && effects[j].loads && effects[i].memory == effects[j].memory;
      if (by_memory) {
        chain.store_use.push_back(distance);
      } else if (effects[i].loads) {
        chain.load_use.push_back(distance);
      }
    }
    if (effects[i].stores && !chain.links[i].critical) chain.movable_stores.push_back(i);
  }
  return chain;
}

}  // namespace hakmem::tools
