/* A C program linked with the library: malloc is the library's, and works. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem/hakmem.h"

int main(void) {
  void* objects[1000];
  for (size_t i = 0; i < 1000; i++) {
    objects[i] = malloc(i * 11 + 1);
    if (objects[i] == NULL || hak_usable_size(objects[i]) != hak_good_size(i * 11 + 1)) return 1;
    memset(objects[i], (int)i, i * 11 + 1);
  }
  for (size_t i = 0; i < 1000; i++) {
    if (((unsigned char*)objects[i])[i * 11] != (unsigned char)i) return 2;
    free(objects[i]);
  }
  if (hak_version() != HAKMEM_VERSION) return 3;
  puts("ok");
  return 0;
}
