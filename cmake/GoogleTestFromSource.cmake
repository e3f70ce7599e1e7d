# Makes find_package(GTest) build GoogleTest within the build tree, from the sources that Debian's
# package `googletest` installs. For presets whose compiler cannot link this machine's own
# libgtest.a; named in CMAKE_PROJECT_TOP_LEVEL_INCLUDES.

include(FetchContent)
set(INSTALL_GTEST OFF CACHE BOOL "Install GoogleTest with the project")
FetchContent_Declare(GTest SOURCE_DIR /usr/src/googletest OVERRIDE_FIND_PACKAGE SYSTEM)
