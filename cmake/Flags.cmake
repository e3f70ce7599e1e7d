# Compiler flags, as interface targets: hakmem_flags for everything, hakmem_core_flags for what
# lives inside the allocator.

add_library(hakmem_flags INTERFACE)
target_compile_options(hakmem_flags INTERFACE -Wall -Wextra -Werror)
if(HAKMEM_SANITIZE)
  target_compile_options(hakmem_flags INTERFACE -fsanitize=${HAKMEM_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(hakmem_flags INTERFACE -fsanitize=${HAKMEM_SANITIZE})
endif()

# Outside the library most of the time goes into the headers of others, once for each source.
function(hakmem_unity target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${HAKMEM_UNITY} UNITY_BUILD_BATCH_SIZE 0)
endfunction()

# Headers of others for `target`, compiled once by `first`, a target with the same flags (`target` itself
# if it is the first). Without HAKMEM_UNITY each source is compiled as it stands.
function(hakmem_precompiled target first)
  if(NOT HAKMEM_UNITY)
    return()
  endif()
  if(target STREQUAL first)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  else()
    target_precompile_headers(${target} REUSE_FROM ${first})
  endif()
endfunction()

# Only hot gates can be frozen, and only to numbers.
string(REPLACE "," ";" frozen "${HAKMEM_FREEZE}")
file(READ ${PROJECT_SOURCE_DIR}/src/hakmem/config/options.def options)
foreach(setting IN LISTS frozen)
  string(REGEX REPLACE "^(HAKMEM_[A-Z0-9_]+)=[0-9]+$" "\"\\1\", hot," entry "${setting}")
  string(FIND "${options}" "${entry}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "HAKMEM_FREEZE: ${setting} is not HOT_GATE=NUMBER, see options.def")
  endif()
endforeach()

# The allocator: no RTTI, no exceptions, no guards around statics (they would need libstdc++), and
# unwind tables all the same, because operator new lets std::bad_alloc pass.
add_library(hakmem_core_flags INTERFACE)
target_link_libraries(hakmem_core_flags INTERFACE hakmem_flags)
target_include_directories(hakmem_core_flags INTERFACE
  ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_compile_options(hakmem_core_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti -fno-exceptions -fno-threadsafe-statics>
  -fvisibility=hidden -fasynchronous-unwind-tables -fno-plt -fno-math-errno -fno-stack-protector
  # The library defines malloc: the compiler must not assume what it does, nor turn malloc+memset
  # inside our calloc into a call of calloc.
  -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free)
target_compile_definitions(hakmem_core_flags INTERFACE
  $<$<STREQUAL:${HAKMEM_FLAVOUR},lab>:HAKMEM_LAB=1>
  $<$<BOOL:${HAKMEM_FREEZE}>:HAKMEM_FREEZE="${HAKMEM_FREEZE}">
  $<$<BOOL:${HAKMEM_OUTLINE}>:HAKMEM_OUTLINE=1>
  $<$<BOOL:${HAKMEM_DYNAMIC_TLS}>:HAKMEM_DYNAMIC_TLS=1>)
# What a profiler needs to see who calls: lines and unwind tables, no call turned into a jump.
if(HAKMEM_OUTLINE)
  target_compile_options(hakmem_core_flags INTERFACE -g -fno-optimize-sibling-calls)
endif()
