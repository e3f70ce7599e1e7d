# cmake --install: headers, the libraries, a CMake package (find_package(hakmem)) and pkg-config
# files. The command and its manual page are installed by tools/.
#
#   hakmem::hakmem  libhakmem.so       hakmem.pc       replaces malloc and operator new
#   hakmem::static  libhakmem.a                        the same, linked in
#   hakmem::core    libhakmem_core.a   hakmem-core.pc  hak_* alone, malloc left as it is
#
# Everything installed is relocatable: nothing names the prefix.

include(CMakePackageConfigHelpers)

set_target_properties(hakmem_static PROPERTIES EXPORT_NAME static)
set_target_properties(hakmem_core PROPERTIES EXPORT_NAME core EXCLUDE_FROM_ALL OFF)
# A program that gets its memory through libc alone (strdup, say) names no entry of ours, and an
# archive is searched for names only.
target_link_options(hakmem_static INTERFACE LINKER:--undefined=malloc)
# The same names for those who use the source tree with add_subdirectory.
add_library(hakmem::hakmem ALIAS hakmem)
add_library(hakmem::static ALIAS hakmem_static)
add_library(hakmem::core ALIAS hakmem_core)

# A sanitized library is for our own tests, never for a prefix.
if(HAKMEM_SANITIZE)
  return()
endif()

install(TARGETS hakmem hakmem_static hakmem_core EXPORT hakmem_targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/hakmem DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")

set(hakmem_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/hakmem)
configure_package_config_file(cmake/hakmemConfig.cmake.in ${PROJECT_BINARY_DIR}/hakmemConfig.cmake
  INSTALL_DESTINATION ${hakmem_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/hakmemConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(EXPORT hakmem_targets NAMESPACE hakmem:: DESTINATION ${hakmem_package_dir})
install(FILES ${PROJECT_BINARY_DIR}/hakmemConfig.cmake
  ${PROJECT_BINARY_DIR}/hakmemConfigVersion.cmake DESTINATION ${hakmem_package_dir})

# From the folder of the .pc file up to the prefix.
file(RELATIVE_PATH pc_prefix
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
function(hakmem_pkg_config name description library)
  configure_file(cmake/hakmem.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
hakmem_pkg_config(hakmem "${PROJECT_DESCRIPTION}" hakmem)
hakmem_pkg_config(hakmem-core "HAKMEM's own functions (hak_*), malloc left as it is" hakmem_core)
