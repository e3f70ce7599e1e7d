// A plugin that hands out memory and takes it, by malloc, by new and through libc.
#include <cstdlib>
#include <cstring>
#include <string>

extern "C" {

void* plugin_allocate(std::size_t size) { return std::malloc(size); }
void* plugin_resize(void* p, std::size_t size) { return std::realloc(p, size); }
void plugin_release(void* p) { std::free(p); }
char* plugin_text() { return strdup("text of the plugin, made by libc"); }
std::string* plugin_string() { return new std::string(1000, 's'); }
void plugin_delete(std::string* s) { delete s; }
}
