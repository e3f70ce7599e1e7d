// Plugins: opened with RTLD_DEEPBIND, found through the search path of the library that asks.
#include <dlfcn.h>

#include <cstring>
#include <string>

#include "support/pattern.hpp"
#include "system/scenarios/scenario.hpp"

namespace {

void* open_plugin(const char* path, int flags) {
  void* const handle = dlopen(path, flags);
  if (handle == nullptr) std::fprintf(stderr, "%s\n", dlerror());
  REQUIRE(handle != nullptr);
  return handle;
}

template <class Function>
Function* symbol(void* handle, const char* name) {
  void* const address = dlsym(handle, name);
  REQUIRE(address != nullptr);
  return reinterpret_cast<Function*>(address);
}

void mix(int flags) {
  void* const plugin = open_plugin(HAKMEM_PLUGIN_DIR "/mixing_plugin.so", flags);
  auto* const allocate = symbol<void*(std::size_t)>(plugin, "plugin_allocate");
  auto* const resize = symbol<void*(void*, std::size_t)>(plugin, "plugin_resize");
  auto* const release = symbol<void(void*)>(plugin, "plugin_release");
  for (const std::size_t size : {1u, 100u, 1000u, 20000u, 200000u, 4u << 20}) {
    for (int i = 0; i < 50; ++i) {
      void* theirs = allocate(size);
      pattern::fill(theirs, size, 1);
      REQUIRE(malloc_usable_size(theirs) >= size);
      theirs = std::realloc(theirs, 2 * size);
      REQUIRE(pattern::holds(theirs, size, 1));
      std::free(theirs);
      void* ours = std::malloc(size);
      pattern::fill(ours, size, 2);
      ours = resize(ours, 2 * size);
      REQUIRE(pattern::holds(ours, size, 2));
      release(ours);
    }
  }
  char* const text = symbol<char*()>(plugin, "plugin_text")();
  REQUIRE(std::strncmp(text, "text of", 7) == 0);
  std::free(text);
  release(strdup("text of the host"));
  delete symbol<std::string*()>(plugin, "plugin_string")();
  symbol<void(std::string*)>(plugin, "plugin_delete")(new std::string(500, 'h'));
  void* const outlives = allocate(300);
  REQUIRE(dlclose(plugin) == 0);
  std::free(outlives);
}

}  // namespace

SCENARIO(plugin_mixes_allocations) { mix(RTLD_NOW); }
SCENARIO(plugin_mixes_under_deepbind) { mix(RTLD_NOW | RTLD_DEEPBIND | RTLD_LOCAL); }
SCENARIO(plugin_mixes_under_lazy_deepbind) { mix(RTLD_LAZY | RTLD_DEEPBIND | RTLD_GLOBAL); }

SCENARIO(dlopen_sees_the_right_caller) {
  REQUIRE(dlopen("hidden_plugin.so", RTLD_NOW) == nullptr);  // not on the path of this program
  REQUIRE(dlerror() != nullptr);
  void* const caller = open_plugin(HAKMEM_PLUGIN_DIR "/caller_plugin.so", RTLD_NOW);
  auto* const answer_of = symbol<int(const char*)>(caller, "answer_of");
  REQUIRE(answer_of("hidden_plugin.so") == 42);
  REQUIRE(answer_of("$ORIGIN/private/hidden_plugin.so") == 42);
  REQUIRE(answer_of("no_such_plugin.so") == -1);
}

SCENARIO(dlopen_of_null_is_the_program) {
  void* const self = dlopen(nullptr, RTLD_NOW);
  REQUIRE(self != nullptr && dlsym(self, "malloc") == dlsym(RTLD_DEFAULT, "malloc"));
}

SCENARIO(plugins_come_and_go) {
  for (int i = 0; i < 200; ++i) {
    void* const plugin = open_plugin(HAKMEM_PLUGIN_DIR "/mixing_plugin.so", RTLD_NOW);
    std::free(symbol<void*(std::size_t)>(plugin, "plugin_allocate")(1000));
    REQUIRE(dlclose(plugin) == 0);
  }
}
