// What is compared: a library to preload, with settings in the environment.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace hakmem::lab {

using Variables = std::vector<std::pair<std::string, std::string>>;

struct Allocator {
  std::string name;
  std::string library;  // absolute path; empty for libc's own malloc
  Variables environment;
};

// What a word of the command line means; throws UsageError when it means nothing.
//   name=library.so       a library; `name=` alone is libc's own malloc
//   null, glibc, hakmem   the floor, libc's own malloc, the library built beside this program
//   mimalloc, ...         an installed peer
// Each may be followed by :VARIABLE=VALUE,VARIABLE=VALUE for its environment.
Allocator parse_allocator(const std::string& word);

// Several, whose names must differ where that is asked for.
std::vector<Allocator> parse_allocators(const std::vector<std::string>& words,
                                        bool distinct = true);

// VARIABLE=VALUE,VARIABLE=VALUE
Variables parse_variables(const std::string& text);

// Debian's peers, as far as the loader's cache knows them.
std::vector<Allocator> installed_peers();

// What the library says of itself when it is loaded, as "2.0.9"; empty when it does not say.
std::string version_of(const Allocator& allocator);

// Whether the process has the library in its address space.
bool has_mapped(pid_t process, const std::string& library);

}  // namespace hakmem::lab
