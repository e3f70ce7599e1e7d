/* Names no function of the allocator: linking it must bring malloc in all the same. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  Dl_info info;
  char* copy = strdup("malloc");
  if (copy == NULL || dladdr(dlsym(RTLD_DEFAULT, copy), &info) == 0) return 1;
  const char* slash = strrchr(info.dli_fname, '/');
  printf("%s from %s\n", copy, slash == NULL ? info.dli_fname : slash + 1);
  return 0;
}
