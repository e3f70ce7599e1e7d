/* Opens other libraries: the loader must see this library as the caller, since the search path and
   $ORIGIN are its own. */
#include <dlfcn.h>
#include <stddef.h>

int answer_of(const char* library) {
  int (*answer)(void) = NULL;
  void* handle = dlopen(library, RTLD_NOW);
  if (handle == NULL) return -1;
  *(void**)&answer = dlsym(handle, "hidden_answer");
  return answer == NULL ? -2 : answer();
}
