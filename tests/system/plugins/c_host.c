/* A C program, without libstdc++, that opens a C++ plugin for itself alone. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static int call(void* plugin, const char* name) {
  int (*function)(void) = NULL;
  *(void**)&function = dlsym(plugin, name);
  return function == NULL ? -100 : function();
}

int main(int argc, char** argv) {
  if (argc < 2 || dlsym(RTLD_DEFAULT, "__cxa_throw") != NULL) return 2; /* is libstdc++ here? */
  void* plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (plugin == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 3;
  }
  printf("%d %d %d %d\n", call(plugin, "plugin_catches"), call(plugin, "plugin_handler_is_called"),
         call(plugin, "plugin_nothrow_is_null"), call(plugin, "plugin_aligned_catches"));
  return 0;
}
