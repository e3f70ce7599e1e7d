// What tells about the heap or tunes it: mallinfo, mallinfo2, mallopt, malloc_stats, malloc_info,
// malloc_trim.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "conformance/library.hpp"
#include "support/pattern.hpp"

namespace {

std::size_t resident_bytes() {
  std::size_t pages = 0;
  std::FILE* const f = std::fopen("/proc/self/statm", "r");
  if (f == nullptr || std::fscanf(f, "%*u %zu", &pages) != 1) std::abort();
  std::fclose(f);
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::size_t in_use() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(Information, Mallinfo2CountsLargeObjectsInUse) {
  const std::size_t before = in_use();
  void* const p = std::malloc(32 * kMiB);
  pattern::fill(p, 32 * kMiB, 1);
  EXPECT_GE(in_use(), before + 32 * kMiB);
  std::free(p);
  EXPECT_LT(in_use(), before + 4 * kMiB);
}

TEST(Information, Mallinfo2CountsSmallObjectsInUse) {
  const std::size_t before = in_use();
  std::vector<void*> objects(100000);
  for (void*& p : objects) p = std::malloc(100);
  const std::size_t with = in_use();
  for (void* p : objects) std::free(p);
  EXPECT_GE(with, before + objects.size() * 100);
  EXPECT_LE(with, before + objects.size() * 200 + kMiB);
}

TEST(Information, Mallinfo2IsExactAndAddsUp) {
  for (const std::size_t size : {1, 100, 1000, 5000, 40000, 1000000}) {
    const struct mallinfo2 before = mallinfo2();
    void* const p = std::malloc(size);
    const struct mallinfo2 with = mallinfo2();
    EXPECT_EQ(with.uordblks, before.uordblks + malloc_usable_size(p)) << size;
    EXPECT_EQ(with.arena, with.uordblks + with.fordblks);
    EXPECT_LE(with.fsmblks + with.keepcost, with.fordblks);
    std::free(p);
    EXPECT_EQ(mallinfo2().uordblks, before.uordblks) << size;
  }
}

TEST(Information, MallinfoAgreesWithMallinfo2) {
  void* const p = std::malloc(10 * kMiB);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  const struct mallinfo narrow = mallinfo();
#pragma GCC diagnostic pop
  const struct mallinfo2 wide = mallinfo2();
  std::free(p);
  EXPECT_EQ(static_cast<std::size_t>(narrow.uordblks), wide.uordblks);
  EXPECT_EQ(static_cast<std::size_t>(narrow.hblkhd), wide.hblkhd);
  EXPECT_EQ(static_cast<std::size_t>(narrow.arena), wide.arena);
}

TEST(Information, MalloptAnswersAndBreaksNothing) {
  for (const int parameter : {M_MXFAST, M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX,
                              M_CHECK_ACTION, M_PERTURB, M_ARENA_TEST, M_ARENA_MAX, 12345}) {
    const int answer = mallopt(parameter, 0);
    EXPECT_TRUE(answer == 0 || answer == 1) << parameter << ": " << answer;
  }
  void* const p = std::calloc(1000, 10);
  EXPECT_TRUE(pattern::is_zero(p, 10000));
  std::free(p);
}

TEST(Information, MallocStatsWritesToStderr) {
  testing::internal::CaptureStderr();
  malloc_stats();
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find_first_of("0123456789"), std::string::npos) << text;
}

// Of <total type="..." size="..."/>.
std::size_t size_of(const std::string& xml, const std::string& type) {
  const std::string start = "<total type=\"" + type + "\" size=\"";
  const std::size_t at = xml.find(start);
  EXPECT_NE(at, std::string::npos) << type << " in " << xml;
  return at == std::string::npos ? 0 : std::stoull(xml.substr(at + start.size(), 20));
}

TEST(Information, MallocInfoWritesXml) {
  char* text = nullptr;
  std::size_t length = 0;
  std::FILE* const stream = open_memstream(&text, &length);
  EXPECT_EQ(malloc_info(0, stream), 0);
  std::fclose(stream);
  const std::string xml(text, length);
  std::free(text);
  EXPECT_EQ(xml.rfind("<malloc", 0), 0u) << xml;
  EXPECT_NE(xml.find("</malloc>"), std::string::npos) << xml;
  std::size_t parts = 0;
  for (const char* part : {"live", "cached", "free", "slack", "dirty", "purged", "metadata"}) {
    parts += size_of(xml, part);
  }
  EXPECT_EQ(size_of(xml, "committed"), parts) << xml;
  EXPECT_GE(size_of(xml, "mapped"), parts) << xml;
}

TEST(Information, MallocInfoRefusesUnknownOptions) {
  std::FILE* const stream = std::fopen("/dev/null", "w");
  errno = 0;
  const int answer = malloc_info(1, stream);
  EXPECT_NE(answer, 0);
  std::fclose(stream);
}

TEST(Information, MallocTrimGivesMemoryBack) {
  std::vector<void*> objects(200000);
  for (void*& p : objects) {
    p = std::malloc(500);
    pattern::fill(p, 500, 1);
  }
  const std::size_t full = resident_bytes();
  for (void* p : objects) std::free(p);
  const int answer = malloc_trim(0);
  EXPECT_TRUE(answer == 0 || answer == 1) << answer;
  EXPECT_LT(resident_bytes() + 50 * kMiB, full) << "of about 95 MiB freed";
}

}  // namespace
