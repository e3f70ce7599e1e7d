// Scenarios that want an option of the library's.
#include <gtest/gtest.h>

#include "system/run.hpp"

namespace {

void ends_well(const std::string& scenario, const std::string& variable, const std::string& value) {
  for (const std::string form : {"preloaded", "static"}) {
    run::Command command{.arguments = {HAKMEM_PROGRAMS_DIR "/scenarios_" + form, scenario},
                         .environment = {{variable, value}, {"HAKMEM_PURGE_DELAY", "50"}}};
    const run::Outcome outcome = run::run(form == "preloaded" ? run::preloaded(command) : command);
    EXPECT_TRUE(outcome.succeeded()) << form << "\n" << outcome.describe();
    EXPECT_EQ(outcome.err, "");
  }
}

TEST(Memory, AnIdleProgramIsTidiedInTheBackground) {
  ends_well("idle_program_is_tidied_in_the_background", "HAKMEM_BACKGROUND", "1");
}

TEST(Memory, ALimitIsKept) {
  ends_well("a_limit_is_kept_by_giving_back_first", "HAKMEM_LIMIT", "67108864");
}

TEST(Memory, SpansServeWhereASlabFindsNoRoom) {
  ends_well("spans_serve_where_a_slab_finds_no_room", "HAKMEM_LIMIT", "8M");
}

TEST(Memory, HugePagesAreAsAsked) {
  for (const std::string mode : {"0", "1", "2"}) {
    ends_well("huge_pages_are_as_asked", "HAKMEM_HUGE_PAGES", mode);
  }
}

}  // namespace
