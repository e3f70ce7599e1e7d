#include "hakmem/os/cgroup.hpp"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <initializer_list>

#include "hakmem/base/text.hpp"

namespace hakmem::os {
namespace {

constexpr std::size_t kLongestPath = 1024;
// v1 says "no limit" by a number of nearly 2^63.
constexpr std::size_t kNoLimit = SIZE_MAX / 4;

// What the file holds, as far as it fits, ended by a 0. Empty when it cannot be read.
template <std::size_t kSize>
void read_file(const char* path, char (&text)[kSize]) {
  text[0] = '\0';
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  const ssize_t length = read(fd, text, kSize - 1);
  close(fd);
  text[length > 0 ? length : 0] = '\0';
}

// Decimal digits; SIZE_MAX for anything else ("max").
std::size_t parse(const char* text) {
  std::uint64_t value = 0;
  return parse_decimal(text, value) != nullptr ? value : SIZE_MAX;
}

// A directory's path, which grows by names and shrinks by components.
struct Path {
  char text[kLongestPath];
  std::size_t length;

  // False: no room.
  bool append(const char* words, std::size_t count) {
    if (length + count >= kLongestPath) return false;
    memcpy(text + length, words, count);
    length += count;
    text[length] = '\0';
    return true;
  }

  std::size_t number_in(const char* file) {
    const std::size_t before = length;
    char content[32] = "";
    if (append(file, strlen(file))) read_file(text, content);
    length = before;
    text[length] = '\0';
    return parse(content);
  }
};

// The least number in these files of a group and of those above it, up to where they are mounted.
std::size_t least_above(const char* root, const char* hierarchy, const char* group,
                        std::initializer_list<const char*> files) {
  Path path{};
  if (!path.append(root, strlen(root)) || !path.append(hierarchy, strlen(hierarchy)))
    return SIZE_MAX;
  const std::size_t root_length = path.length;
  if (!path.append(group, strcspn(group, "\n"))) return SIZE_MAX;
  std::size_t least = SIZE_MAX;
  for (;;) {
    while (path.length > root_length && path.text[path.length - 1] == '/') --path.length;
    for (const char* file : files) least = std::min(least, path.number_in(file));
    if (path.length <= root_length) return least;
    while (path.length > root_length && path.text[path.length - 1] != '/') --path.length;
  }
}

// Whether the words between commas, up to a colon, have that of memory among them.
bool names_memory(const char* controllers) {
  for (;; ++controllers) {
    const std::size_t length = strcspn(controllers, ",:\n");
    if (length == 6 && strncmp(controllers, "memory", 6) == 0) return true;
    controllers += length;
    if (*controllers != ',') return false;
  }
}

// One line a hierarchy, NUMBER:CONTROLLERS:GROUP; that of v2 has the number 0 and no controllers.
std::size_t limit_of(const char* groups, const char* root) {
  std::size_t least = SIZE_MAX;
  for (const char* line = groups; line != nullptr; line = strchr(line, '\n')) {
    if (*line == '\n') ++line;
    const char* controllers = strchr(line, ':');
    const char* group = controllers != nullptr ? strchr(controllers + 1, ':') : nullptr;
    if (group == nullptr) break;
    if (strncmp(line, "0::", 3) == 0) {
      least = std::min(least, least_above(root, "", group + 1, {"/memory.max", "/memory.high"}));
    } else if (names_memory(controllers + 1)) {
      least = std::min(least, least_above(root, "/memory", group + 1, {"/memory.limit_in_bytes"}));
    }
  }
  return least < kNoLimit ? least : SIZE_MAX;
}

}  // namespace

std::size_t cgroup_memory_limit(const char* membership, const char* root) {
  const int saved = errno;
  char groups[4096];
  read_file(membership, groups);
  const std::size_t limit = limit_of(groups, root);
  errno = saved;
  return limit;
}

}  // namespace hakmem::os
