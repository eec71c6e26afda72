// The device as programs find it that are interrupted, killed, or don't want to wait, on a real mount of `dmmap sound`.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/soundcard.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "programs/dsp_client.h"
#include "programs/sound_server.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

using dmmap::UniqueFd;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds kPatience{20};
constexpr const char* kAMinute = "960000";  // bytes of S16_LE, mono, 8000 Hz

std::vector<std::string> client(const std::filesystem::path& device, const std::vector<std::string>& words) {
  std::vector<std::string> argv{DMMAP_DSP_CLIENT, device};
  argv.insert(argv.end(), words.begin(), words.end());
  return argv;
}

class DspDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::passthrough());
    ASSERT_TRUE(server_.ready()) << server_.log();
  }

  // Another program's sound is heard from its first sample to its last, so the server goes on.
  void expect_goes_on() {
    const Outcome next = run(client(server_.dsp(), {"write", "8000"}), kPatience);
    EXPECT_EQ(next.status, 0) << next.out;
    const Audio heard = server_.finish();
    Audio played{.rate = 8000, .channels = 1, .samples = {}};
    for (std::size_t i = 0; i < 4000; ++i) {
      played.samples.push_back(sample_played(i));
    }
    ASSERT_GE(heard.samples.size(), played.samples.size());
    EXPECT_TRUE(std::equal(played.samples.rbegin(), played.samples.rend(), heard.samples.rbegin()));
  }
  // Kills it, and it's gone at once though it was in the midst of something.
  static void expect_killable(Process& process) {
    const auto begin = steady_clock::now();
    process.kill(SIGKILL);
    EXPECT_FALSE(process.wait(kPatience).timed_out);
    EXPECT_LT(steady_clock::now() - begin, seconds(5));
  }

  SoundServer server_{8000, 1};
};

TEST_F(DspDeviceTest, AnInterruptedWriteReturnsWhatWasTakenOrEintr) {
  const Outcome interrupted = run(client(server_.dsp(), {"interrupt"}), kPatience);
  EXPECT_EQ(interrupted.status, 0) << interrupted.out;
  expect_goes_on();
}

TEST_F(DspDeviceTest, AWriterCanBeKilledAndOthersPlayOn) {
  Process writer(client(server_.dsp(), {"write", kAMinute}));
  ASSERT_TRUE(server_.says("4x1024, write")) << writer.out();
  expect_killable(writer);
  EXPECT_TRUE(server_.says(" played ")) << "its stream has ended";
  expect_goes_on();
}

TEST_F(DspDeviceTest, AProgramWhoseRingPlaysCanBeKilled) {
  Process player(client(server_.dsp(), {"map"}));
  ASSERT_TRUE(player.wait_for_output("playing", kPatience)) << player.out();
  ASSERT_TRUE(server_.says("4x1024, mmap"));
  EXPECT_TRUE(maps(player.pid(), server_.dsp()));
  expect_killable(player);
  EXPECT_TRUE(server_.says("through mmap")) << "its stream has ended";
  expect_goes_on();
}

// Two fragments of a second each.
TEST_F(DspDeviceTest, WithoutWaitingAWriteIsShortAndPollTellsWhenAFragmentHasBeenPlayed) {
  const UniqueFd dsp(::open(server_.dsp().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(dsp);
  int fragments = 0x0002000e;
  int rate = 8000;
  int format = AFMT_S16_LE;
  ASSERT_EQ(::ioctl(dsp.get(), SNDCTL_DSP_SETFRAGMENT, &fragments), 0);
  ASSERT_EQ(::ioctl(dsp.get(), SNDCTL_DSP_SETFMT, &format), 0);
  ASSERT_EQ(::ioctl(dsp.get(), SNDCTL_DSP_SPEED, &rate), 0);
  const std::vector<std::int16_t> samples(50'000, 1);
  const auto begin = steady_clock::now();
  EXPECT_EQ(::write(dsp.get(), samples.data(), 100'000), 32'768) << "the whole ring, and no more";
  // Room for a frame comes all the time.
  ssize_t more = 0;
  for (int i = 0; i < 1000 && more >= 0; ++i) {
    more = ::write(dsp.get(), samples.data(), 100'000);
    ASSERT_LT(more, 16'384);
  }
  EXPECT_EQ(more, -1);
  EXPECT_EQ(errno, EAGAIN);
  pollfd waiting{.fd = dsp.get(), .events = POLLOUT, .revents = 0};
  EXPECT_EQ(::poll(&waiting, 1, 0), 0);
  ASSERT_EQ(::poll(&waiting, 1, 10'000), 1);
  EXPECT_NE(waiting.revents & POLLOUT, 0);
  EXPECT_GE(steady_clock::now() - begin, milliseconds(1000));
  audio_buf_info space{};
  ASSERT_EQ(::ioctl(dsp.get(), SNDCTL_DSP_GETOSPACE, &space), 0);
  EXPECT_LT(space.bytes, 32'768) << "not only when both have been played";
  EXPECT_GE(::write(dsp.get(), samples.data(), 100'000), 16'384);
}

// As docs/sound.md has it under "Limits".
TEST_F(DspDeviceTest, ABindMountOfTheDeviceHasOneRing) {
  const auto pinned = server_.directory() / "dsp";
  std::ofstream(pinned) << "";
  ASSERT_EQ(::mount(server_.dsp().c_str(), pinned.c_str(), nullptr, MS_BIND, nullptr), 0);
  {
    const UniqueFd first(::open(pinned.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(first) << errno;
    EXPECT_EQ(::open(pinned.c_str(), O_RDWR | O_CLOEXEC), -1);
    EXPECT_EQ(errno, EBUSY);
    const Outcome writer = run(client(pinned, {"write", "4000"}), kPatience);
    EXPECT_EQ(writer.status, 0) << writer.out;
  }
  {
    Process player(client(pinned, {"map"}));
    EXPECT_TRUE(player.wait_for_output("playing", kPatience)) << "free once the first has closed: " << player.out();
    expect_killable(player);
  }
  ASSERT_EQ(::umount2(pinned.c_str(), MNT_DETACH), 0);
  expect_goes_on();
}

}  // namespace
}  // namespace dmmap::testing
