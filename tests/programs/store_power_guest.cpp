// store_power_guest ACTION [PROMISES FIRST]: what store_power_test runs in User Mode Linux, on an ext4 file system on
// its disk, which keeps the store.
//
//   change   checks the store that the last power cut has left, compares it with PROMISES, and has store_client change
//            it, beginning with version FIRST, and snapshots be made, until the power is cut
//   compare  checks and compares alone
//   write    makes two directories, of which only the first is synced, and waits for the power cut
//   look     says which of them are there
//
// It says "on the disk" when the file system is mounted, "at work" when there is something to lose.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "programs/store_promises.h"
#include "programs/store_server.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {
namespace {

std::vector<std::string> words;  // the command line's

constexpr std::chrono::seconds kLong{60};

void say(const std::string& text) {
  std::puts(text.c_str());
  std::fflush(stdout);
}

// What a power cut has left is looked at before a server sets it right.
void expect_sound(const std::filesystem::path& store) {
  // Written last: without it there's no store yet, and nothing can have been promised.
  if (!std::filesystem::exists(store / "format")) {
    say("there's no store yet");
    return;
  }
  const Outcome outcome = run({DMMAP_PROGRAM, "store", "check", store}, kLong);
  EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
}

void change(const StoreServer& server) {
  Process client({DMMAP_STORE_CLIENT, server.mountpoint(), words.at(1), words.at(2)});
  ASSERT_TRUE(client.wait_for_output("begun", kLong)) << client.err();
  say("at work");
  // Meanwhile, for its transactions and those of removing many files.
  const auto snapshots = server.making_snapshots();
  EXPECT_TRUE(wait_until([&] { return !client.running() || !snapshots->running(); }, kLong)) << "no power cut";
  FAIL() << client.err() << snapshots->err();
}

void write(const StoreServer& server) {
  const Outcome outcome =
      run({"bash", "-euc", R"(cd "$0"; mkdir synced; sync synced; mkdir unsynced)", server.mountpoint()}, kLong);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  say("at work");
  ::sleep(kLong.count());
}

TEST(StorePowerGuest, Acts) {
  const std::string& action = words.at(0);
  const TemporaryDirectory mountpoint;
  ASSERT_EQ(::mount("/dev/ubda", mountpoint.path().c_str(), "ext4", 0, nullptr), 0) << errno;
  say("on the disk");
  const std::filesystem::path store = mountpoint / "store";
  expect_sound(store);
  StoreServer server(store);
  ASSERT_TRUE(server.ready());
  if (action == "change" || action == "compare") {
    const Lost lost = expect_kept(server.mountpoint(), read_versions(words.at(1)));
    say(fmt::format("lost: {} {}", lost.stored, lost.made));
  }
  ASSERT_FALSE(HasFailure());
  if (action == "change") {
    change(server);
  } else if (action == "write") {
    write(server);
  } else if (action == "look") {
    for (const char* const name : {"synced", "unsynced"}) {
      say(fmt::format("{} is {}", name, std::filesystem::exists(server.mountpoint() / name) ? "there" : "lost"));
    }
  }
  server.kill();
  server.check();
}

}  // namespace
}  // namespace dmmap::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  dmmap::testing::words.assign(argv + 1, argv + argc);
  return RUN_ALL_TESTS();
}
