// The tests' own tools: what the other tests rely on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

TEST(ProcessTest, BringsBackStatusAndOutput) {
  const Outcome outcome = run({"sh", "-c", "echo to out; echo to err >&2; exit 3"}, seconds(10));
  EXPECT_EQ(outcome.status, 3);
  EXPECT_EQ(outcome.out, "to out\n");
  EXPECT_EQ(outcome.err, "to err\n");
  EXPECT_FALSE(outcome.timed_out);
}

TEST(ProcessTest, AnEndBySignalIs128AndMore) {
  Process process({"sleep", "60"});
  process.kill(SIGTERM);
  EXPECT_EQ(process.wait(seconds(10)).status, 128 + SIGTERM);
}

TEST(ProcessTest, KillsWhatTakesTooLong) {
  const Outcome outcome = run({"sleep", "60"}, milliseconds(50));
  EXPECT_TRUE(outcome.timed_out);
  EXPECT_EQ(outcome.status, 128 + SIGKILL);
}

TEST(ProcessTest, ReadsOutputWhileTheChildRuns) {
  Process process({"sh", "-c", "echo ready; exec sleep 60"});
  EXPECT_TRUE(process.wait_for_output("ready\n", seconds(10)));
  EXPECT_TRUE(process.running());
}

TEST(ProcessTest, DoesNotWaitForOutputOfTheDead) {
  Process process({"true"});
  EXPECT_FALSE(process.wait_for_output("ready", seconds(10)));
}

TEST(ProcessTest, AddsToTheEnvironmentAndReplacesInIt) {
  const Outcome outcome = run({"sh", "-c", "echo $DMMAP_A $HOME; pwd"}, seconds(10),
                              {.environment = {"DMMAP_A=one", "HOME=/nowhere"}, .directory = "/proc", .user = {}});
  EXPECT_EQ(outcome.out, "one /nowhere\n/proc\n");
}

TEST(ProcessTest, RunsAsAnotherUser) {
  DMMAP_NEEDS(needs::root());
  const Outcome outcome =
      run({"sh", "-c", "id -u; id -G"}, seconds(10), {.environment = {}, .directory = "/", .user = 65534});
  EXPECT_EQ(outcome.out, "65534\n65534\n");
}

TEST(ProcessTest, AMissingProgramIs127) {
  EXPECT_EQ(run({"dmmap-no-such-program"}, seconds(10)).status, 127);
}

TEST(ProcessTest, TheDestructorKillsAndReaps) {
  pid_t pid = 0;
  {
    const Process process({"sleep", "60"});
    pid = process.pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(TemporaryDirectoryTest, IsGoneWithItsContents) {
  std::filesystem::path path;
  {
    const TemporaryDirectory directory;
    path = directory.path();
    std::filesystem::create_directories(directory / "a/b");
    std::ofstream(directory / "a/b/file") << "x";
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TemporaryDirectoryTest, TakesMountsAwayAndLeavesWhatIsInThem) {
  DMMAP_NEEDS(needs::root());
  const TemporaryDirectory outside;
  std::ofstream(outside / "keep") << "x";
  {
    const TemporaryDirectory directory;
    std::filesystem::create_directory(directory / "with space");
    ASSERT_EQ(::mount(outside.path().c_str(), (directory / "with space").c_str(), nullptr, MS_BIND, nullptr), 0);
    EXPECT_TRUE(is_mounted(directory / "with space"));
    EXPECT_FALSE(is_mounted(directory.path()));
    EXPECT_EQ(fuse_connection_of(directory / "with space"), std::nullopt);
  }
  EXPECT_TRUE(std::filesystem::exists(outside / "keep"));
}

TEST(WaitUntilTest, GivesUp) {
  EXPECT_FALSE(wait_until([] { return false; }, milliseconds(20)));
  EXPECT_TRUE(wait_until([] { return true; }, milliseconds(0)));
}

TEST(AbortConnectionTest, SaysWhenThereIsNone) {
  EXPECT_FALSE(abort_connection(4294967295U));
}

TEST(RequirementTest, GivesAReason) {
  EXPECT_EQ(needs::program("sh"), "");
  EXPECT_THAT(needs::program("dmmap-no-such-program"), HasSubstr("dmmap-no-such-program"));
  EXPECT_EQ(needs::kernel(5, 4), "");
  EXPECT_THAT(needs::kernel(999, 0), HasSubstr("999.0"));
}

}  // namespace
}  // namespace dmmap::testing
