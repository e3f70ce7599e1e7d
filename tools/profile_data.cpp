#include "profile_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "lab/error.hpp"

namespace hakmem::tools {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

bool is_one_of(const std::string& name, std::initializer_list<const char*> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_part(const std::string& name, std::initializer_list<const char*> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const char* part) { return name.find(part) != std::string::npos; });
}

// By the name of an entry, in the words that all allocators use: free, je_sdallocx, operator
// delete.
bool is_freeing(const std::string& name) {
  return has_part(name, {"free", "delete", "dalloc", "dealloc"});
}

bool is_allocating(const std::string& name) {
  return !is_freeing(name) && has_part(name, {"alloc", "new", "memalign"});
}

// libc's own malloc lives among other things: there, these names are the allocator.
bool is_libc_allocator(const std::string& name) {
  return is_one_of(name, {"malloc",
                          "free",
                          "calloc",
                          "realloc",
                          "aligned_alloc",
                          "memalign",
                          "posix_memalign",
                          "_int_malloc",
                          "_int_free",
                          "_int_realloc",
                          "malloc_consolidate",
                          "unlink_chunk",
                          "sysmalloc",
                          "systrim",
                          "tcache_init",
                          "__libc_malloc",
                          "__libc_free",
                          "__libc_calloc",
                          "__libc_realloc",
                          "cfree@GLIBC_2.2.5"});
}

}  // namespace

Share share_of(std::uint64_t count, std::uint64_t total) {
  if (total == 0) return {0, 0, 1};
  constexpr double kZ = 1.959964;
  const auto n = static_cast<double>(total);
  const double p = static_cast<double>(count) / n;
  const double centre = (p + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
  const double half = kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n)) / (1 + kZ * kZ / n);
  // Clamped: with none or all of the samples the sums miss 0 and 1 by their rounding.
  return {p, std::clamp(centre - half, 0.0, p), std::clamp(centre + half, p, 1.0)};
}

Profile make_profile(const Sampling& sampling, const lab::Allocator& allocator) {
  Profile profile;
  profile.allocator = allocator;
  profile.method = sampling.method;
  profile.samples = sampling.stacks.size();
  profile.has_callers = sampling.has_callers;
  if (!sampling.note.empty()) profile.notes.push_back(sampling.note);
  if (!allocator.library.empty()) profile.library_id = id_of_file(allocator.library);

  std::error_code ignored;
  const fs::path library = fs::canonical(allocator.library, ignored);
  const auto of_allocator = [&](const Frame& frame) {
    if (!allocator.library.empty()) return fs::path(frame.object) == library;
    return frame.object.find("/libc.so") != std::string::npos && is_libc_allocator(frame.function);
  };
  std::map<std::pair<std::string, std::string>, FunctionShare> functions;
  for (const Stack& stack : sampling.stacks) {
    std::set<std::pair<std::string, std::string>> seen;
    const Frame* entry = nullptr;  // the allocator's outermost
    for (const Frame& frame : stack) {
      const std::pair key(frame.function, fs::path(frame.object).filename().string());
      FunctionShare& function = functions[key];
      const bool ours = of_allocator(frame);
      if (function.name.empty()) {
        function.name = key.first;
        function.object = key.second;
      }
      function.of_allocator = function.of_allocator || ours;
      if (&frame == &stack.front()) {
        ++function.self;
        ++function.offsets[frame.offset];
      }
      if (seen.insert(key).second) ++function.with_callees;
      if (ours) entry = &frame;
    }
    if (entry == nullptr) continue;
    ++profile.in_allocator;
    profile.allocating += is_allocating(entry->function) ? 1 : 0;
    profile.freeing += is_freeing(entry->function) ? 1 : 0;
  }
  for (auto& [key, function] : functions) profile.functions.push_back(std::move(function));
  std::stable_sort(profile.functions.begin(), profile.functions.end(),
                   [](const FunctionShare& a, const FunctionShare& b) {
                     return std::pair(a.self, a.with_callees) > std::pair(b.self, b.with_callees);
                   });
  return profile;
}

std::string id_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  std::array<char, 1 << 16> piece{};
  while (file.read(piece.data(), piece.size()) || file.gcount() > 0) {
    for (std::streamsize i = 0; i < file.gcount(); ++i) {
      hash = (hash ^ static_cast<unsigned char>(piece[static_cast<std::size_t>(i)])) *
             1099511628211ULL;
    }
  }
  return fmt::format("{:016x}", hash);
}

Json to_json(const Profile& profile) {
  const auto share = [&](std::uint64_t count) {
    const Share s = share_of(count, profile.samples);
    return Json{{"samples", count}, {"share", s.value}, {"low", s.low}, {"high", s.high}};
  };
  Json functions = Json::array();
  for (const FunctionShare& function : profile.functions) {
    Json offsets = Json::object();
    for (const auto& [offset, count] : function.offsets) offsets[std::to_string(offset)] = count;
    functions.push_back(
        {{"function", function.name},
         {"object", function.object},
         {"of_allocator", function.of_allocator},
         {"self", share(function.self)},
         {"stack", profile.has_callers ? share(function.with_callees) : Json(nullptr)},
         {"status", function.status},
         {"offsets", offsets}});
  }
  const bool callers = profile.has_callers;
  return {{"kind", "hakmem profile"},
          {"allocator",
           {{"name", profile.allocator.name},
            {"library", profile.allocator.library},
            {"version", profile.version},
            {"id", profile.library_id}}},
          {"command", profile.command},
          {"method", profile.method},
          {"rate", profile.rate},
          {"samples", profile.samples},
          {"in_allocator", share(profile.in_allocator)},
          {"allocating", callers ? share(profile.allocating) : Json(nullptr)},
          {"freeing", callers ? share(profile.freeing) : Json(nullptr)},
          {"slowdown", profile.slowdown ? Json{{"median", profile.slowdown->median},
                                               {"low", profile.slowdown->low},
                                               {"high", profile.slowdown->high},
                                               {"pairs", profile.slowdown->pairs}}
                                        : Json(nullptr)},
          {"notes", profile.notes},
          {"functions", functions}};
}

Profile read_profile(const std::string& file) {
  std::ifstream stream(file);
  if (!stream) throw lab::UsageError(fmt::format("cannot read {}", file));
  try {
    const Json document = Json::parse(stream);
    if (document.at("kind") != "hakmem profile") throw std::invalid_argument("another kind");
    Profile profile;
    profile.allocator = {document["allocator"]["name"], document["allocator"]["library"], {}};
    profile.version = document["allocator"]["version"];
    profile.library_id = document["allocator"]["id"];
    profile.command = document.at("command");
    profile.method = document.at("method");
    profile.rate = document.at("rate");
    profile.samples = document.at("samples");
    profile.in_allocator = document.at("in_allocator").at("samples");
    for (const Json& one : document.at("functions")) {
      FunctionShare function;
      function.name = one.at("function");
      function.object = one.at("object");
      function.of_allocator = one.at("of_allocator");
      function.self = one.at("self").at("samples");
      profile.has_callers = !one.at("stack").is_null();
      if (profile.has_callers) function.with_callees = one.at("stack").at("samples");
      for (const auto& [offset, count] : one.at("offsets").items()) {
        function.offsets[std::stoull(offset)] = count;
      }
      profile.functions.push_back(std::move(function));
    }
    return profile;
  } catch (const std::exception&) {
    throw lab::UsageError(
        fmt::format("{} is no profile that 'hakmem profile --json' printed", file));
  }
}

}  // namespace hakmem::tools
