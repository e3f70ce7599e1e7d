// How much memory the system grants: by control groups (v2, v1, or both), and by overcommitting.

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <initializer_list>
#include <string_view>

#include "hakmem/base/platform.hpp"
#include "hakmem/base/text.hpp"
#include "hakmem/os/system.hpp"

namespace hakmem::os {
namespace {

constexpr std::size_t kLongestPath = 1024;
// v1 says "no limit" by a number of nearly 2^63.
constexpr std::size_t kNoLimit = SIZE_MAX / 4;

// What the file holds, as far as it fits, ended by a 0. Empty when it cannot be read. By libc's
// functions of these names a thread may be cancelled, which must not happen in malloc and free.
template <std::size_t kSize>
void read_file(const char* path, char (&text)[kSize]) {
  text[0] = '\0';
  const long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  const long length = syscall(SYS_read, fd, text, kSize - 1);
  syscall(SYS_close, fd);
  text[length > 0 ? length : 0] = '\0';
}

// The number in a file whose path has these parts; SIZE_MAX where there is none ("max").
std::size_t number_in(std::initializer_list<std::string_view> parts) {
  char path[kLongestPath];
  std::size_t length = 0;
  for (const std::string_view part : parts) {
    if (length + part.size() >= sizeof path) return SIZE_MAX;
    memcpy(path + length, part.data(), part.size());
    length += part.size();
  }
  path[length] = '\0';
  char content[32];
  read_file(path, content);
  std::uint64_t value = 0;
  return parse_decimal(content, value) != nullptr ? value : SIZE_MAX;
}

// The least number in these files of a group and of those above it, up to where they are mounted.
std::size_t least_above(const char* root, const char* hierarchy, std::string_view group,
                        std::initializer_list<const char*> files) {
  std::size_t least = SIZE_MAX;
  for (;;) {
    while (!group.empty() && group.back() == '/') group.remove_suffix(1);
    for (const char* file : files) {
      least = std::min(least, number_in({root, hierarchy, group, file}));
    }
    if (group.empty()) return least;
    while (!group.empty() && group.back() != '/') group.remove_suffix(1);
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
    const char* colon = controllers != nullptr ? strchr(controllers + 1, ':') : nullptr;
    if (colon == nullptr) break;
    const std::string_view group{colon + 1, strcspn(colon + 1, "\n")};
    if (strncmp(line, "0::", 3) == 0) {
      least = std::min(least, least_above(root, "", group, {"/memory.max", "/memory.high"}));
    } else if (names_memory(controllers + 1)) {
      least = std::min(least, least_above(root, "/memory", group, {"/memory.limit_in_bytes"}));
    }
  }
  return least < kNoLimit ? least : SIZE_MAX;
}

}  // namespace

bool strict_overcommit() {
  static std::atomic<int> answer{0};  // 0 not asked, 1 yes, 2 no; asking twice does no harm
  if (answer.load(std::memory_order_relaxed) == 0) {
    const KeepErrno keep;
    const bool strict = number_in({"/proc/sys/vm/overcommit_memory"}) == 2;
    answer.store(strict ? 1 : 2, std::memory_order_relaxed);
  }
  return answer.load(std::memory_order_relaxed) == 1;
}

std::size_t cgroup_memory_limit(const char* membership, const char* root) {
  const KeepErrno keep;
  char groups[4096];
  read_file(membership, groups);
  return limit_of(groups, root);
}

}  // namespace hakmem::os
