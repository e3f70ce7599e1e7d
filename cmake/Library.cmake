# The allocator in three shapes:
#   hakmem         libhakmem.so, overrides malloc when preloaded or linked
#   hakmem_static  libhakmem.a, overrides malloc when linked
#   hakmem_core    the same code without the overriding entries: hak_* only, for unit tests under
#                  sanitizers, which bring a malloc of their own

file(GLOB hakmem_sources CONFIGURE_DEPENDS src/hakmem/*/*.cpp)
set(hakmem_core_sources ${hakmem_sources})
list(FILTER hakmem_core_sources EXCLUDE REGEX "/api/(libc|operators|dlopen)[^/]*\\.cpp$")

add_library(hakmem SHARED ${hakmem_sources})
# Linked as C: that leaves libstdc++ out.
set_target_properties(hakmem PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME hakmem VERSION ${PROJECT_VERSION} SOVERSION 0)

target_compile_definitions(hakmem PRIVATE HAKMEM_SHARED=1)

add_library(hakmem_static STATIC ${hakmem_sources})
set_target_properties(hakmem_static PROPERTIES OUTPUT_NAME hakmem)

add_library(hakmem_core STATIC EXCLUDE_FROM_ALL ${hakmem_core_sources})
target_compile_definitions(hakmem_core PUBLIC HAKMEM_NO_OVERRIDE=1)

foreach(library hakmem hakmem_static hakmem_core)
  target_link_libraries(${library} PRIVATE $<BUILD_INTERFACE:hakmem_core_flags>)
  target_include_directories(${library} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()

# libc alone: a C program must not pay for loading libstdc++. nodelete: thread exit and atexit
# handlers may run the library's code after a dlclose.
target_link_options(hakmem PRIVATE -Wl,-z,nodelete -Wl,-z,now -Wl,-z,noseparate-code
  -Wl,--as-needed -Wl,-Bsymbolic-functions -Wl,--gc-sections)
if(NOT HAKMEM_SANITIZE)
  target_link_options(hakmem PRIVATE -Wl,--no-undefined)
endif()
