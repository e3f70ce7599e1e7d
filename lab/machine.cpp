#include "lab/machine.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "lab/process.hpp"

namespace hakmem::lab {
namespace {

// What stands behind the colon in the first line that begins so.
std::string value_in(const std::string& file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t begin = line.find_first_not_of(": \t", line.find(':'));
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

}  // namespace

nlohmann::ordered_json describe_machine() {
  utsname system{};
  uname(&system);
  std::array<double, 1> load{};
  getloadavg(load.data(), 1);
  std::istringstream flags(value_in("/proc/cpuinfo", "flags"));
  bool is_virtual = false;
  for (std::string flag; flags >> flag;) is_virtual = is_virtual || flag == "hypervisor";
  return {{"processor", value_in("/proc/cpuinfo", "model name")},
          {"architecture", system.machine},
          {"cpus", sysconf(_SC_NPROCESSORS_ONLN)},
          {"memory", value_in("/proc/meminfo", "MemTotal")},
          {"kernel", system.release},
          {"virtual", is_virtual},
          {"load", load[0]}};
}

std::string hash_of(const std::string& path) {
  return output_of({.command = {"sha256sum", path}}).substr(0, 64);
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm date{};
  gmtime_r(&now, &date);
  std::array<char, 16> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d", &date);
  return text.data();
}

}  // namespace hakmem::lab
