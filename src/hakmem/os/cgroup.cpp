#include "hakmem/os/cgroup.hpp"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace hakmem::os {
namespace {

constexpr std::size_t kLongestPath = 1024;

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
  std::size_t value = 0;
  const char* c = text;
  for (; *c >= '0' && *c <= '9'; ++c) {
    const auto digit = static_cast<std::size_t>(*c - '0');
    if (value > (SIZE_MAX - digit) / 10) return SIZE_MAX;
    value = value * 10 + digit;
  }
  return c == text ? SIZE_MAX : value;
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

std::size_t limit_of(const char* groups, const char* root) {
  // One line a hierarchy; that of v2 has the number 0 and no controllers.
  const char* line = groups;
  while (strncmp(line, "0::", 3) != 0) {
    line = strchr(line, '\n');
    if (line == nullptr) return SIZE_MAX;
    ++line;
  }
  const char* group = line + 3;
  Path path{};
  const std::size_t root_length = strlen(root);
  if (!path.append(root, root_length) || !path.append(group, strcspn(group, "\n"))) return SIZE_MAX;
  std::size_t least = SIZE_MAX;
  for (;;) {
    while (path.length > root_length && path.text[path.length - 1] == '/') --path.length;
    least = std::min({least, path.number_in("/memory.max"), path.number_in("/memory.high")});
    if (path.length <= root_length) return least;
    while (path.length > root_length && path.text[path.length - 1] != '/') --path.length;
  }
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
