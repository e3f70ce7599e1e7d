// Surroundings that systems have: valgrind, little memory, no /proc, set-user-id, plugins in C
// programs, every way to link.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "system/run.hpp"

namespace {

namespace fs = std::filesystem;
const std::string kPreloaded = run::kPrograms + "/scenarios_preloaded";
const std::string kStatic = run::kPrograms + "/scenarios_static";

void expect_ok(const run::Outcome& outcome) {
  EXPECT_TRUE(outcome.succeeded()) << outcome.describe();
  EXPECT_NE(outcome.out.find("ok\n"), std::string::npos) << outcome.describe();
}

// As root: through sudo where this is not root already.
run::Command privileged(run::Command command) {
  if (geteuid() == 0) return command;
  std::vector<std::string> arguments{"sudo", "-n", "env"};
  for (const auto& [name, value] : command.environment) arguments.push_back(name + "=" + value);
  arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
  command.arguments = arguments;
  command.environment.clear();
  return command;
}

run::Outcome run_as_root(const std::vector<std::string>& arguments) {
  return run::run(privileged({.arguments = arguments}));
}

// ---- small address space
run::Command in_one_gib(std::vector<std::string> arguments) {
  return {.arguments = std::move(arguments), .before_exec = [] {
            const rlimit limit{1024 * run::kMiB, 1024 * run::kMiB};
            setrlimit(RLIMIT_AS, &limit);
          }};
}

TEST(AddressSpaceOfOneGiB, Python) {
  const run::Outcome outcome = run::run(run::preloaded(in_one_gib(
      {"python3", "-c",
       "x = [bytearray(b'ab') * (1 << 19) for _ in range(700)]; print(sum(map(len, x)) >> 20)"})));
  EXPECT_EQ(outcome.out, "700\n") << outcome.describe();
  EXPECT_TRUE(outcome.succeeded());
}

TEST(AddressSpaceOfOneGiB, Sqlite) {
  const run::Outcome outcome = run::run(run::preloaded(in_one_gib(
      {"sqlite3", ":memory:",
       "create table t(a, b); with recursive n(i) as (select 1 union all select i + 1 from n where "
       "i < 100000) insert into t select i, hex(zeroblob(500)) from n; "
       "select count(*), sum(length(b)) from t"})));
  EXPECT_EQ(outcome.out, "100000|100000000\n") << outcome.describe();
  EXPECT_EQ(outcome.err, "");
}

// ---- valgrind
run::Outcome under_valgrind(std::vector<std::string> options, const std::string& scenario) {
  std::vector<std::string> arguments{"valgrind", "-q", "--error-exitcode=9"};
  std::move(options.begin(), options.end(), std::back_inserter(arguments));
  arguments.insert(arguments.end(), {kPreloaded, scenario, "any-malloc"});
  return run::run(run::preloaded({.arguments = arguments}));
}

TEST(Valgrind, MemcheckFindsAPlantedError) {
  const run::Outcome outcome =
      under_valgrind({"--soname-synonyms=somalloc=*hakmem*"}, "writes_past_the_end");
  EXPECT_EQ(outcome.exit_code, 9) << outcome.describe();
  EXPECT_NE(outcome.err.find("Invalid write of size 1"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("0 bytes after a block of size 100"), std::string::npos)
      << outcome.err;
}

TEST(Valgrind, MemcheckFindsNothingElse) {
  const run::Outcome outcome =
      under_valgrind({"--soname-synonyms=somalloc=*hakmem*"}, "small_workload");
  expect_ok(outcome);
  EXPECT_EQ(outcome.err, "");
}

TEST(Valgrind, TheAllocatorItselfRunsUnderMemcheck) {
  expect_ok(under_valgrind({"--soname-synonyms=somalloc=nouserintercepts"}, "small_workload"));
}

TEST(Valgrind, Memcheck) { expect_ok(under_valgrind({}, "small_workload")); }

TEST(Valgrind, Callgrind) {
  expect_ok(
      under_valgrind({"--tool=callgrind", "--callgrind-out-file=/dev/null"}, "small_workload"));
}

// ---- no /proc, no /sys, no /dev: a bare root directory
void copy_into_root(const fs::path& root, const fs::path& file) {
  const fs::path target = root / file.relative_path();
  fs::create_directories(target.parent_path());
  fs::copy_file(file, target, fs::copy_options::skip_existing);
}

TEST(WithoutProc, WorksInABareRootDirectory) {
  const run::TemporaryDirectory root;
  copy_into_root(root.path(), kPreloaded);
  std::istringstream preloaded_libraries(run::library());
  for (std::string one; std::getline(preloaded_libraries, one, ':');) {
    copy_into_root(root.path(), one);
  }
  std::istringstream needed(run::run({.arguments = {"ldd", kPreloaded}}).out);
  for (std::string word; needed >> word;) {
    if (word[0] == '/') copy_into_root(root.path(), word);
  }
  expect_ok(run::run(privileged(
      run::preloaded({.arguments = {"chroot", root.path(), kPreloaded, "small_workload"}}))));
}

// ---- little memory: a control group where the machine lets us make one, else a limit
class LittleMemory : public testing::Test {
 protected:
  static constexpr rlim_t kLimit = 48 * run::kMiB;

  LittleMemory() {
    const std::string name = "hakmem-test-" + std::to_string(getpid());
    try_group("/sys/fs/cgroup/memory/" + name, "memory.limit_in_bytes");
    if (group_.empty()) try_group("/sys/fs/cgroup/" + name, "memory.max");
  }

  ~LittleMemory() override {
    if (!group_.empty()) rmdir(group_.c_str());
  }

  run::Outcome run_confined(const std::vector<std::string>& arguments) const {
    return run::run(run::preloaded({.arguments = arguments, .before_exec = [this] { confine(); }}));
  }

 private:
  void try_group(const std::string& path, const char* limit_file) {
    if (mkdir(path.c_str(), 0755) != 0) return;
    std::ofstream file(path + "/" + limit_file);
    file << kLimit << std::flush;
    if (file.good()) {
      group_ = path;
    } else {
      rmdir(path.c_str());
    }
  }

  void confine() const {
    if (group_.empty()) {
      const rlimit limit{4 * kLimit, 4 * kLimit};
      setrlimit(RLIMIT_AS, &limit);
      return;
    }
    const int procs = open((group_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
    if (write(procs, "0", 1) != 1) _exit(125);
  }

  std::string group_;
};

TEST_F(LittleMemory, ChurnIsNotKilled) { expect_ok(run_confined({kPreloaded, "little_memory"})); }

TEST_F(LittleMemory, Python) {
  const run::Outcome outcome = run_confined(
      {"python3", "-c", "print(sum(len([str(i) * 3 for i in range(50000)]) for _ in range(5)))"});
  EXPECT_EQ(outcome.out, "250000\n") << outcome.describe();
}

// ---- set-user-id programs do not read HAKMEM_*
class SetUserId : public testing::Test {
 protected:
  SetUserId() : copy_(directory_.path() + "/program") {}

  void install(const char* mode) {
    ASSERT_TRUE(run_as_root({"install", "-o", "root", "-m", mode, kStatic, copy_}).succeeded());
  }

  run::Outcome run_as_nobody() const {
    return run::run(privileged({.arguments = {"setpriv", "--reuid=65534", "--regid=65534",
                                              "--clear-groups", copy_, "small_workload"},
                                .environment = {{"HAKMEM_STATS", "1"}}}));
  }

 private:
  run::TemporaryDirectory directory_;
  std::string copy_;
};

TEST_F(SetUserId, OrdinaryProgramPrintsStatistics) {
  install("0755");
  const run::Outcome outcome = run_as_nobody();
  expect_ok(outcome);
  EXPECT_NE(outcome.err.find("C7"), std::string::npos) << "HAKMEM_STATS=1 is not heeded";
}

TEST_F(SetUserId, IgnoresTheEnvironment) {
  install("4755");
  const run::Outcome outcome = run_as_nobody();
  expect_ok(outcome);
  EXPECT_EQ(outcome.err, "");
}

// ---- a C program opens a C++ plugin whose operator new fails
void expect_plugin_caught(const run::Outcome& outcome) {
  EXPECT_TRUE(outcome.succeeded()) << outcome.describe();
  EXPECT_EQ(outcome.out, "1 2 1 1\n") << outcome.describe();
}

TEST(CProgram, CppPluginCatchesBadAlloc) {
  const std::string plugin = run::kPrograms + "/plugins/failing_plugin.so";
  expect_plugin_caught(
      run::run(run::preloaded({.arguments = {run::kPrograms + "/c_host_preloaded", plugin}})));
  expect_plugin_caught(run::run({.arguments = {run::kPrograms + "/c_host_static", plugin}}));
}

// ---- linking
class Link : public testing::TestWithParam<const char*> {};

TEST_P(Link, RunsOnTheLibrary) {
  expect_ok(run::run({.arguments = {run::kPrograms + "/" + GetParam()}}));
}

INSTANTIATE_TEST_SUITE_P(EveryWay, Link,
                         testing::Values("link_c_shared", "link_c_archive", "link_c_static",
                                         "link_cpp_shared", "link_cpp_archive", "link_cpp_static"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
