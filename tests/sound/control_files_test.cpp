// The files `status` and `control` on a real mount, by the system calls that a shell makes.
#include "servers/sound/control/control_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "mount/mounted.h"
#include "servers/sound/control/status_json.h"
#include "sound/control_card.h"
#include "support/requirement.h"
#include "transport/unique_fd.h"

namespace dmmap::sound::testing {
namespace {

using dmmap::testing::Mounted;

class ControlFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(dmmap::testing::needs::mounting());
    ASSERT_TRUE(add_control_files(filesystem_, card_));
    mounted_.emplace(filesystem_);
  }

  [[nodiscard]] UniqueFd open(const std::string& name, int flags) {
    return UniqueFd(::open((*mounted_ / name).c_str(), flags | O_CLOEXEC));  // NOLINT(*-vararg)
  }

  // In parts of `size` bytes.
  static std::string read_all(int fd, std::size_t size) {
    std::string all;
    std::array<char, 4096> part{};
    for (;;) {
      const ssize_t got = ::read(fd, part.data(), size);
      EXPECT_GE(got, 0) << errno;
      if (got <= 0) {
        return all;
      }
      all.append(part.data(), static_cast<std::size_t>(got));
    }
  }

  // As `echo TEXT > control` does; the errno of write(2), or 0.
  int say(std::string_view text) {
    const UniqueFd control = open("control", O_WRONLY | O_TRUNC);
    EXPECT_TRUE(control) << errno;
    const ssize_t written = ::write(control.get(), text.data(), text.size());
    if (written < 0) {
      return errno;
    }
    EXPECT_EQ(static_cast<std::size_t>(written), text.size());
    return 0;
  }

  ControlCard card_{two_streams()};
  DeviceFilesystem filesystem_;
  std::optional<Mounted> mounted_;
};

TEST_F(ControlFilesTest, AnOpenOfStatusIsOneMoment) {
  const UniqueFd before = open("status", O_RDONLY);
  ASSERT_TRUE(before);
  ASSERT_EQ(say("volume master 12 34\n"), 0);
  EXPECT_EQ(read_all(before.get(), 7), json_of(two_streams()));
  std::array<char, 10> middle{};
  EXPECT_EQ(::pread(before.get(), middle.data(), middle.size(), 5), 10);
  EXPECT_EQ(std::string(middle.data(), middle.size()), json_of(two_streams()).substr(5, 10));
  EXPECT_EQ(::pread(before.get(), middle.data(), middle.size(), 1 << 30), 0);

  CardStatus expected = two_streams();
  expected.master = {12, 34, false};
  EXPECT_EQ(read_all(open("status", O_RDONLY).get(), 4096), json_of(expected));
}

TEST_F(ControlFilesTest, CommandsAreCarriedOut) {
  EXPECT_EQ(say("mute 3\nvolume 7 20\nvolume recording 1 2"), 0);
  CardStatus expected = two_streams();
  expected.streams[0].playback->level.muted = true;
  expected.streams[1].playback->level = {20, 20, false};
  expected.streams[1].recording->level = {20, 20, true};
  expected.recording = {1, 2, true};
  EXPECT_EQ(card_.status(), expected);
}

TEST_F(ControlFilesTest, OneBadLineAndNothingIsDone) {
  EXPECT_EQ(say("mute 3\nmute everything\n"), EINVAL);
  EXPECT_EQ(say(std::string(70000, 'x')), EINVAL);
  EXPECT_EQ(card_.status(), two_streams());
}

TEST_F(ControlFilesTest, AStreamThatIsNotThereIsESRCH) {
  EXPECT_EQ(say("mute 4"), ESRCH);
  EXPECT_EQ(say("volume 0 1"), ESRCH);
  EXPECT_EQ(card_.status(), two_streams());
}

TEST_F(ControlFilesTest, AllMayLookAndTheServersUserMayChange) {
  struct stat status {};
  struct stat control {};
  ASSERT_EQ(::stat((*mounted_ / "status").c_str(), &status), 0);
  ASSERT_EQ(::stat((*mounted_ / "control").c_str(), &control), 0);
  EXPECT_EQ(status.st_mode, S_IFREG | 0444U);
  EXPECT_EQ(control.st_mode, S_IFREG | 0600U);
  EXPECT_EQ(control.st_uid, ::geteuid());
}

TEST_F(ControlFilesTest, WhatTheyAreNotForFailsOrIsEmpty) {
  const UniqueFd status = open("status", O_RDWR);
  if (status) {  // root may, whatever the mode is
    EXPECT_EQ(::write(status.get(), "x", 1), -1);
    EXPECT_EQ(errno, EINVAL);
  }
  const UniqueFd control = open("control", O_RDONLY);
  ASSERT_TRUE(control);
  EXPECT_EQ(read_all(control.get(), 100), "");
}

}  // namespace
}  // namespace dmmap::sound::testing
