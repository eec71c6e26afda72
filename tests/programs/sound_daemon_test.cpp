// `dmmap sound` as whoever runs it finds it: how it starts, what it says, and what is left when it ends in whatever
// way.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/soundcard.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "programs/dsp_client.h"
#include "programs/notify_socket.h"
#include "programs/sound_server.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"
#include "support/text.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using Path = std::filesystem::path;

constexpr seconds kPatience{20};
constexpr const char* kAMinute = "960000";  // bytes of S16_LE, mono, 8000 Hz

std::vector<std::string> writer(const Path& device, std::vector<std::string> words) {
  words.insert(words.begin(), {DMMAP_DSP_CLIENT, device, "write"});
  return words;
}

std::vector<std::string> dmmap_sound(std::vector<std::string> words) {
  words.insert(words.begin(), {DMMAP_PROGRAM, "sound"});
  return words;
}

std::string content(const Path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// How much sound the header of a WAV file says that there is; other programs go by it, libsndfile finds out by itself.
std::uint32_t bytes_in_header(const Path& file) {
  constexpr std::size_t kHeader = 44;
  const std::string wav = content(file);
  std::uint32_t bytes = 0;
  if (wav.size() >= kHeader) {
    std::memcpy(&bytes, wav.data() + kHeader - sizeof bytes, sizeof bytes);
  }
  return bytes;
}

void expect_is_what_was_played(const Audio& heard) {
  for (std::size_t i = 0; i < heard.samples.size(); ++i) {
    ASSERT_EQ(heard.samples[i], sample_played(i)) << "sample " << i;
  }
}

class SoundDaemonTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::passthrough()); }

  // Fails, says `reason`, mounts nothing and leaves the file for the recording as it was.
  void expect_refused(const Path& mountpoint, const std::string& reason) {
    const Path present = directory_ / "present.wav";
    const Path absent = directory_ / "absent.wav";
    std::ofstream(present) << "a recording";
    for (const Path& file : {present, absent}) {
      const Outcome refused = run(dmmap_sound({mountpoint, "--sink", "wav:" + file.string()}), kPatience);
      EXPECT_FALSE(refused.timed_out);
      EXPECT_EQ(refused.status, 1);
      EXPECT_NE(refused.err.find(reason), std::string::npos) << refused.err;
      EXPECT_EQ(refused.out, "");
    }
    EXPECT_EQ(content(present), "a recording");
    EXPECT_FALSE(std::filesystem::exists(absent));
    EXPECT_EQ(mounts_below(mountpoint).size(), mounts_before_) << "nothing is mounted there that wasn't";
  }

  TemporaryDirectory directory_;
  std::size_t mounts_before_ = 0;  // at the mount point
};

TEST_F(SoundDaemonTest, AMountPointThatIsNotThereIsRefused) {
  expect_refused(directory_ / "missing", "mkdir -p");
}

TEST_F(SoundDaemonTest, AMountPointThatIsAFileIsRefused) {
  std::ofstream(directory_ / "file") << "";
  expect_refused(directory_ / "file", "name an existing directory");
}

TEST_F(SoundDaemonTest, AnotherServersMountPointIsRefused) {
  SoundServer server(8000, 1);
  ASSERT_TRUE(server.ready()) << server.log();
  mounts_before_ = 1;
  expect_refused(server.mountpoint(), "choose another directory");
  EXPECT_EQ(run(writer(server.dsp(), {"1600"}), kPatience).status, 0) << "that one isn't disturbed";
  EXPECT_EQ(server.finish().frames(), 800U);
}

// What a server leaves that dies with its watcher.
TEST_F(SoundDaemonTest, AStaleMountIsRefused) {
  const Path stale = directory_ / "stale";
  std::filesystem::create_directory(stale);
  {
    const UniqueFd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(device);
    const std::string data = fmt::format("fd={},rootmode=40000,user_id=0,group_id=0", device.get());
    ASSERT_EQ(::mount("dmmap-test", stale.c_str(), "fuse.dmmap", MS_NOSUID | MS_NODEV, data.c_str()), 0);
  }
  mounts_before_ = 1;
  expect_refused(stale, "umount -l");
  ASSERT_EQ(::umount2(stale.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW), 0);
}

TEST_F(SoundDaemonTest, ASecondServerDoesNotRecordIntoTheSameFile) {
  SoundServer server(8000, 1);
  ASSERT_TRUE(server.ready()) << server.log();
  Process player(writer(server.dsp(), {"16000"}));
  ASSERT_TRUE(server.says("8000 Hz mono"));
  const Path other = directory_ / "mnt";
  std::filesystem::create_directory(other);
  const Outcome second = run(dmmap_sound({other, "--sink", "wav:" + server.recording().string()}), kPatience);
  EXPECT_EQ(second.status, 1);
  EXPECT_NE(second.err.find("another process is recording into"), std::string::npos) << second.err;
  EXPECT_FALSE(is_mounted(other));
  EXPECT_EQ(player.wait(kPatience).status, 0) << player.out();
  const Audio heard = server.finish();
  EXPECT_EQ(heard.frames(), 8000U);
  expect_is_what_was_played(heard);
}

TEST_F(SoundDaemonTest, HangupMakesTheRecordingSafeAndTheServerGoesOn) {
  SoundServer server(8000, 1);
  ASSERT_TRUE(server.ready()) << server.log();
  // Less than a quarter of a second: the file's header doesn't tell of it yet.
  ASSERT_EQ(run(writer(server.dsp(), {"1600"}), kPatience).status, 0);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(bytes_in_header(server.recording()), 0U);
  // Again and again, since what was played may not have been mixed yet.
  EXPECT_TRUE(wait_until(
      [&] {
        server.process().kill(SIGHUP);
        return bytes_in_header(server.recording()) == 1600;
      },
      kPatience));
  ASSERT_TRUE(server.process().running());
  EXPECT_EQ(run(writer(server.dsp(), {"1600"}), kPatience).status, 0);
  EXPECT_EQ(server.finish().frames(), 1600U);
}

TEST_F(SoundDaemonTest, SystemdIsToldWhenItIsReadyAndWhenItStops) {
  const NotifySocket systemd(directory_ / "notify");
  ASSERT_TRUE(systemd.bound());
  SoundServer server({.recording = {}, .environment = {systemd.variable()}});
  ASSERT_TRUE(server.ready()) << server.log();
  const std::string ready = systemd.next(kPatience);
  EXPECT_TRUE(ready.starts_with("READY=1\n")) << ready;
  EXPECT_NE(ready.find(fmt::format("MAINPID={}\n", server.process().pid())), std::string::npos) << ready;
  server.finish();
  EXPECT_EQ(systemd.next(kPatience), "STOPPING=1");
  EXPECT_EQ(systemd.next(milliseconds(0)), "");
}

TEST_F(SoundDaemonTest, AKilledServersRecordingCanBeReadAndItsClientsDoNotHang) {
  SoundServer server(8000, 1);
  ASSERT_TRUE(server.ready()) << server.log();
  Process player(writer(server.dsp(), {kAMinute}));
  ASSERT_TRUE(server.says("8000 Hz mono"));
  const auto begin = steady_clock::now();
  std::this_thread::sleep_for(seconds(2));
  const std::chrono::duration<double> played = steady_clock::now() - begin;
  server.process().kill(SIGKILL);
  EXPECT_EQ(server.process().wait(kPatience).status, 128 + SIGKILL);
  const Ended ended = player.wait(kPatience);
  EXPECT_FALSE(ended.timed_out) << "its write was left waiting";
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE(player.out().find("write: -1, E"), std::string::npos) << player.out();
  EXPECT_TRUE(wait_until([&] { return !is_mounted(server.mountpoint()); }, kPatience)) << "the watcher unmounts";
  const Audio heard = read_audio(server.recording());
  EXPECT_GE(heard.seconds(), played.count() - 1);
  expect_is_what_was_played(heard);
}

// 256 KiB are 1.4 seconds.
TEST_F(SoundDaemonTest, OnAFullDiskProgramsPlayOnAndTheLogSaysSoOnce) {
  const Path disk = directory_ / "disk";
  std::filesystem::create_directory(disk);
  ASSERT_EQ(::mount("dmmap-test", disk.c_str(), "tmpfs", 0, "size=256k"), 0);
  SoundServer server({.rate = 48000, .channels = 2, .recording = disk / "heard.wav", .environment = {}});
  ASSERT_TRUE(server.ready()) << server.log();
  const Outcome player = run(writer(server.dsp(), {"600000", "48000", "2"}), kPatience);
  EXPECT_EQ(player.status, 0) << player.out;
  EXPECT_EQ(run(writer(server.dsp(), {"9600", "48000", "2"}), kPatience).status, 0) << "others play, too";
  EXPECT_EQ(count(server.log(), "No space left on device"), 1U) << server.log();
  EXPECT_EQ(count(server.log(), "Make room and start again"), 1U) << server.log();
  server.process().kill(SIGTERM);
  EXPECT_EQ(server.process().wait(kPatience).status, 1);
  EXPECT_FALSE(is_mounted(server.mountpoint()));
  const Audio heard = read_audio(server.recording());
  EXPECT_GE(heard.seconds(), 1.2);
  expect_is_what_was_played(heard);
}

// One that doesn't wait is closed and plays on, one waits in a write, one is mapped: all are cut off by the end.
TEST_F(SoundDaemonTest, TheLogSumsUpStreamsThatPlayWhenItEnds) {
  SoundServer server(8000, 1);
  ASSERT_TRUE(server.ready()) << server.log();
  {
    const UniqueFd dsp(::open(server.dsp().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    ASSERT_TRUE(dsp);
    int two_of_16384 = 0x0002000e;
    ASSERT_EQ(::ioctl(dsp.get(), SNDCTL_DSP_SETFRAGMENT, &two_of_16384), 0);
    const std::vector<char> four_seconds(32'768, 1);
    ASSERT_EQ(::write(dsp.get(), four_seconds.data(), four_seconds.size()), 32'768);
  }
  Process waiting(writer(server.dsp(), {kAMinute}));
  Process mapping({DMMAP_DSP_CLIENT, server.dsp(), "map"});
  ASSERT_TRUE(server.says("4x1024, write"));
  ASSERT_TRUE(server.says("4x1024, mmap"));
  EXPECT_EQ(count(server.log(), " played "), 0U);
  std::this_thread::sleep_for(milliseconds(100));
  server.finish();
  EXPECT_EQ(count(server.log(), " played "), 3U) << server.log();
  EXPECT_EQ(count(server.log(), "through write, 0 underruns"), 2U) << server.log();
  EXPECT_EQ(count(server.log(), "through mmap, 0 underruns"), 1U) << server.log();
}

// A daemon is a child of the one that a user started; this process is told of its end in that one's place.
class Daemon {
 public:
  Daemon() { ::prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL); }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() {
    if (pid > 0) {
      ::kill(pid, SIGKILL);
      ended(kPatience);
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, 0UL, 0UL, 0UL, 0UL);
  }
  // Its exit status, or -1 when it doesn't end.
  int ended(milliseconds timeout) {
    int status = 0;
    if (!wait_until([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }, timeout)) {
      return -1;
    }
    pid = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  pid_t pid = -1;
};

TEST_F(SoundDaemonTest, DetachedItServesOnUntilItIsTerminated) {
  const NotifySocket systemd(directory_ / "notify");
  ASSERT_TRUE(systemd.bound());
  Daemon daemon;
  const Path mountpoint = directory_ / "mnt";
  std::filesystem::create_directory(mountpoint);
  const Outcome started = run(dmmap_sound({"mnt", "--sink", "wav:heard.wav", "--daemon", "--log", "log"}), kPatience,
                              {.environment = {systemd.variable()}, .directory = directory_.path(), .user = {}});
  EXPECT_EQ(started.status, 0) << started.err;
  EXPECT_TRUE(started.out.find("ready at " + mountpoint.string()) != std::string::npos) << started.out;
  ASSERT_TRUE(is_mounted(mountpoint)) << "ready when the one that was started ends";
  const std::string ready = systemd.next(kPatience);
  const std::size_t at = ready.find("MAINPID=");
  ASSERT_NE(at, std::string::npos) << ready;
  daemon.pid = static_cast<pid_t>(std::stol(ready.substr(at + 8)));
  EXPECT_EQ(::getsid(daemon.pid), daemon.pid) << "a session of its own, without the user's terminal";
  EXPECT_EQ(std::filesystem::read_symlink(fmt::format("/proc/{}/cwd", daemon.pid)), "/");

  EXPECT_EQ(run(writer(mountpoint / "dsp", {"1600"}), kPatience).status, 0);
  ::kill(daemon.pid, SIGTERM);
  EXPECT_EQ(daemon.ended(kPatience), 0);
  EXPECT_FALSE(is_mounted(mountpoint));
  EXPECT_EQ(read_audio(directory_ / "heard.wav").frames(), 800U);
  EXPECT_NE(content(directory_ / "log").find("played 800 frames"), std::string::npos);
}

TEST_F(SoundDaemonTest, DetachedItFailsForTheUserToSee) {
  const Outcome failed = run(dmmap_sound({directory_ / "missing", "--daemon", "--log", directory_ / "log"}), kPatience);
  EXPECT_FALSE(failed.timed_out);
  EXPECT_EQ(failed.status, 1);
  EXPECT_NE(failed.err.find("mkdir -p"), std::string::npos) << failed.err;
}

}  // namespace
}  // namespace dmmap::testing
