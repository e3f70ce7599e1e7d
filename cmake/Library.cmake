# The allocator in three shapes:
#   hakmem         libhakmem.so, overrides malloc when preloaded or linked
#   hakmem_static  libhakmem.a, overrides malloc when linked
#   hakmem_core    the same code without the overriding entries: hak_* only, for unit tests under
#                  sanitizers, which bring a malloc of their own

file(GLOB hakmem_sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} src/hakmem/*/*.cpp)
set(hakmem_overriding src/hakmem/api/libc.cpp src/hakmem/api/operators.cpp src/hakmem/api/dlopen.cpp)
set(hakmem_foreign src/hakmem/api/foreign.cpp)
list(REMOVE_ITEM hakmem_sources ${hakmem_overriding} ${hakmem_foreign})

# What is the same in all three, compiled once.
add_library(hakmem_objects OBJECT ${hakmem_sources})
target_link_libraries(hakmem_objects PRIVATE hakmem_core_flags)
if(HAKMEM_UNITY_FOLDERS)
  set_target_properties(hakmem_objects PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  foreach(source IN LISTS hakmem_sources)
    cmake_path(GET source PARENT_PATH folder)
    string(MAKE_C_IDENTIFIER ${folder} group)
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${group})
  endforeach()
endif()
set(hakmem_same $<TARGET_OBJECTS:hakmem_objects>)

add_library(hakmem SHARED ${hakmem_same} ${hakmem_foreign} ${hakmem_overriding})
# Linked as C: that leaves libstdc++ out.
set_target_properties(hakmem PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME hakmem VERSION ${PROJECT_VERSION} SOVERSION 0)
target_compile_definitions(hakmem PRIVATE HAKMEM_SHARED=1)

add_library(hakmem_static STATIC ${hakmem_same} ${hakmem_foreign} ${hakmem_overriding})
set_target_properties(hakmem_static PROPERTIES OUTPUT_NAME hakmem)

add_library(hakmem_core STATIC EXCLUDE_FROM_ALL ${hakmem_same} ${hakmem_foreign})
target_compile_definitions(hakmem_core PRIVATE HAKMEM_NO_OVERRIDE=1)

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
