# cmake --install: headers, both libraries, a CMake package (find_package(hakmem)) and a
# pkg-config file.

include(CMakePackageConfigHelpers)
install(TARGETS hakmem hakmem_static EXPORT hakmem_targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/hakmem DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
