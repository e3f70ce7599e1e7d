#include "made_library.hpp"

#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <fcntl.h>

#include <vector>

#include "child.hpp"
#include "library.hpp"

namespace hakmem::tools {
namespace {

namespace fs = std::filesystem;

// Two commands at a time must not build into the same folder.
class Lock {
 public:
  explicit Lock(const fs::path& file)
      : file_(open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)) {
    if (file_ >= 0) flock(file_, LOCK_EX);
  }
  ~Lock() {
    if (file_ >= 0) close(file_);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int file_;
};

}  // namespace

std::string made_library(Made kind, std::string& why) {
  const bool outlined = kind == Made::outlined;
  const fs::path tree = source_tree();
  if (tree.empty()) {
    why = "the source tree that this command was built from is not there";
    return {};
  }
  if (!has_program("cmake")) {
    why = "cmake is not installed (script/setup build)";
    return {};
  }
  const fs::path folder = tree / "build" / (outlined ? "profile" : "annotated");
  std::error_code ignored;
  fs::create_directories(folder, ignored);
  const Lock lock(folder / "lock");
  if (!fs::exists(folder / "build.ninja")) {
    // --preset looks for its file in the current folder.
    const Finished run =
        run_child({"sh", "-c", "cd \"$0\" && exec \"$@\"", tree, "cmake", "--preset",
                   outlined ? "lab" : "release", "-B", folder, "-DHAKMEM_BUILD_TOOLS=OFF",
                   "-DHAKMEM_BUILD_BENCH=OFF", "-DHAKMEM_BUILD_TESTS=OFF",
                   outlined ? "-DHAKMEM_OUTLINE=ON" : "-DCMAKE_CXX_FLAGS=-g"});
    if (!run.ok()) {
      why = "cmake: " + run.err;
      return {};
    }
  }
  const Finished built = run_child({"cmake", "--build", folder, "--target", "hakmem"});
  if (!built.ok()) {
    why = fmt::format("the build in {} failed: {}", folder.string(), built.out + built.err);
    return {};
  }
  return fs::canonical(folder / "libhakmem.so", ignored);
}

}  // namespace hakmem::tools
