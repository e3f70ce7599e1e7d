#include "samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "lab/companion.hpp"
#include "sampler/format.hpp"
#include "symbols.hpp"

namespace hakmem::tools {
namespace {

namespace fs = std::filesystem;

// A line of perf's: "  ffff8 malloc+0x10 (/lib/libhakmem.so)".
Frame parse_perf_frame(const std::string& line) {
  std::istringstream words(line);
  std::string address;
  words >> address;
  const std::size_t after = line.find(address) + address.size();
  const std::size_t object = line.rfind(" (");
  Frame frame;
  if (object == std::string::npos || object < after) return frame;
  frame.object = line.substr(object + 2, line.rfind(')') - object - 2);
  std::string symbol = object > after + 1 ? line.substr(after + 1, object - after - 1) : "";
  if (const std::size_t plus = symbol.rfind("+0x"); plus != std::string::npos) {
    frame.offset = std::strtoull(symbol.c_str() + plus + 1, nullptr, 16);
    symbol.resize(plus);
  }
  const bool known = !symbol.empty() && symbol != "[unknown]";
  frame.function = known ? without_parameters(symbol)
                         : fmt::format("[{}]", fs::path(frame.object).filename().string());
  return frame;
}

Sampling sample_by_perf(const std::vector<std::string>& words, const std::string& library, int rate,
                        Output output) {
  const TemporaryFolder folder;
  const std::string data = folder.path() / "perf.data";
  std::vector<std::string> command = {
      "perf",         "record",     "-q", "-o", data, "-F", std::to_string(rate),
      "--call-graph", "dwarf,2048", "-e"};
  Sampling sampling;
  for (const char* event : {"cpu-clock", "cpu-clock:u"}) {
    std::vector<std::string> probe = {"perf", "record", "-q", "-o",  data,
                                      "-e",   event,    "--", "true"};
    if (!run_child(probe).ok()) continue;
    command.emplace_back(event);
    sampling.method = fmt::format("perf, {}", event);
    break;
  }
  if (sampling.method.empty()) throw std::runtime_error("perf cannot sample here");
  command.emplace_back("--");
  // Not perf itself under the allocator.
  command.emplace_back("env");
  command.push_back(library.empty() ? "-uLD_PRELOAD" : "LD_PRELOAD=" + library);
  command.insert(command.end(), words.begin(), words.end());
  const Finished run = run_child(command, {}, output);
  sampling.exit_code = run.code();
  const Finished script =
      run_child({"perf", "script", "-i", data, "--no-inline", "-F", "ip,sym,symoff,dso"});
  if (!script.ok()) throw std::runtime_error("perf script: " + script.err);
  sampling.stacks = parse_perf_script(script.out);
  return sampling;
}

void read_samples(const fs::path& file, Symbols& symbols, std::vector<Stack>& stacks) {
  std::ifstream stream(file, std::ios::binary);
  sampler::Sample sample{};
  while (stream.read(reinterpret_cast<char*>(&sample), sizeof sample) && sample.addresses[0] != 0) {
    Stack stack;
    for (const std::uintptr_t address : sample.addresses) {
      if (address == 0) break;
      // A return address belongs to the call before it.
      stack.push_back(symbols.frame_at(stack.empty() ? address : address - 1));
    }
    stacks.push_back(std::move(stack));
  }
}

Sampling sample_by_timer(const std::vector<std::string>& words, const std::string& library,
                         int rate, Output output) {
  const fs::path sampler = lab::companion("libhakmem_sampler.so");
  const TemporaryFolder folder;
  const std::string preload = library.empty() ? sampler.string() : library + ":" + sampler.string();
  const Finished run = run_child(words,
                                 {{"LD_PRELOAD", preload},
                                  {"SAMPLER_OUTPUT", folder.path()},
                                  {"SAMPLER_RATE", std::to_string(rate)}},
                                 output);
  Sampling sampling;
  sampling.method = "timer";
  sampling.note = "the kernel's tick limits our timer to some 100 to 1,000 samples a second";
  sampling.exit_code = run.code();
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    if (entry.path().extension() != ".samples") continue;
    Symbols symbols(fs::path(entry.path()).replace_extension(".maps"));
    read_samples(entry.path(), symbols, sampling.stacks);
  }
  return sampling;
}

}  // namespace

std::string without_parameters(const std::string& name) {
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name.compare(i, 21, "(anonymous namespace)") == 0) {
      i += 20;
      continue;
    }
    if (name.compare(i, 8, "operator") == 0 && depth == 0 && (i == begin || name[i - 1] == ':')) {
      // "operator()", "operator<", "operator new": none of these ends here.
      const std::size_t parameters = name.find('(', i + 8 + (name.compare(i + 8, 2, "()") == 0));
      return name.substr(begin, parameters == std::string::npos ? parameters : parameters - begin);
    }
    if (name[i] == '<') ++depth;
    if (name[i] == '>') --depth;
    // What a template returns stands before its name.
    if (name[i] == ' ' && depth == 0) begin = i + 1;
    if (name[i] == '(' && depth == 0 && i > begin) return name.substr(begin, i - begin);
  }
  // Without parameters there is no return type: "[clone .cold]" and the like are part of the name.
  return name;
}

std::vector<Stack> parse_perf_script(const std::string& text) {
  std::vector<Stack> stacks;
  Stack stack;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t") != std::string::npos) {
      Frame frame = parse_perf_frame(line);
      if (!frame.object.empty()) stack.push_back(std::move(frame));
    } else if (!stack.empty()) {
      stacks.push_back(std::move(stack));
      stack = {};
    }
  }
  if (!stack.empty()) stacks.push_back(std::move(stack));
  return stacks;
}

Sampling sample(const std::vector<std::string>& words, const std::string& library, int rate,
                Method method, Output output) {
  Sampling sampling;
  std::string reason = "perf is not installed (package linux-perf)";
  if (method != Method::timer && has_program("perf")) {
    try {
      sampling = sample_by_perf(words, library, rate, output);
    } catch (const std::runtime_error& error) {
      reason = error.what();
    }
  }
  if (sampling.method.empty()) {
    if (method == Method::perf) throw std::runtime_error(reason);
    sampling = sample_by_timer(words, library, rate, output);
    if (method == Method::automatic) sampling.note = reason + "; our own timer: " + sampling.note;
  }
  sampling.has_callers = std::any_of(sampling.stacks.begin(), sampling.stacks.end(),
                                     [](const Stack& stack) { return stack.size() > 1; });
  return sampling;
}

}  // namespace hakmem::tools
