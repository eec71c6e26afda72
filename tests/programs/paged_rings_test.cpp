// Rings that are pages of the kernel's page cache: what programs play through them is heard sample for sample, with
// privilege and without.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/soundcard.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "mount/mounted.h"
#include "programs/dsp_client.h"
#include "programs/players.h"
#include "programs/sound_server.h"
#include "support/process.h"
#include "support/requirement.h"
#include "transport/unique_fd.h"

namespace dmmap::testing {
namespace {

using dmmap::UniqueFd;
using std::chrono::seconds;

constexpr seconds kPatience{20};
constexpr uid_t kNobody = 65534;

SoundServerOptions paged() {
  SoundServerOptions options;
  options.ring = "paged";
  return options;
}

class PagedRingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::mounting());
    DMMAP_NEEDS(needs::kernel(6, 6));
  }
};

TEST_F(PagedRingsTest, SdlDmaPlaysThroughMmap) {
  DMMAP_NEEDS(needs::program("mplayer"));
  SoundServer server(paged());
  ASSERT_TRUE(server.ready()) << server.log();
  EXPECT_NE(server.log().find("rings are paged: --ring=paged"), std::string::npos) << server.log();
  one_plays_through_mmap(server);
}

TEST_F(PagedRingsTest, TwoSdlDmaProgramsPlayAtTheSameTime) {
  DMMAP_NEEDS(needs::program("mplayer"));
  SoundServer server(paged());
  ASSERT_TRUE(server.ready()) << server.log();
  two_play_through_mmap(server);
}

// Without privilege: the server is mounted by fusermount3, and programs are the same user's.
class UnprivilegedRingsTest : public PagedRingsTest {
 protected:
  void SetUp() override {
    PagedRingsTest::SetUp();
    DMMAP_NEEDS(needs::program("fusermount3"));
    DMMAP_NEEDS(needs::program("mplayer"));
    ASSERT_TRUE(let_everyone_open_fuse(directory_.path()));
  }
  static SoundServerOptions nobodys() {
    SoundServerOptions options;
    options.user = kNobody;
    return options;
  }

  TemporaryDirectory directory_;
};

TEST_F(UnprivilegedRingsTest, SdlDmaPlaysThroughMmap) {
  SoundServer server(nobodys());
  ASSERT_TRUE(server.ready()) << server.log();
  EXPECT_NE(server.log().find("rings are paged: passthrough: this process lacks CAP_SYS_ADMIN"), std::string::npos)
      << server.log();
  one_plays_through_mmap(server);
}

TEST_F(UnprivilegedRingsTest, TwoSdlDmaProgramsPlayAtTheSameTime) {
  SoundServer server(nobodys());
  ASSERT_TRUE(server.ready()) << server.log();
  two_play_through_mmap(server);
}

TEST_F(UnprivilegedRingsTest, SharedRingsAreRefusedAndTheErrorSaysWhatToDo) {
  SoundServerOptions options = nobodys();
  options.ring = "shared";
  SoundServer server(options);
  EXPECT_FALSE(server.ready());
  EXPECT_EQ(server.process().wait(kPatience).status, 1);
  for (const char* part : {"--ring=shared can't be had here", "CAP_SYS_ADMIN", "or say --ring=auto"}) {
    EXPECT_NE(server.log().find(part), std::string::npos) << part << " in " << server.log();
  }
  EXPECT_FALSE(std::filesystem::exists(server.recording())) << "nothing was recorded";
}

// An open dsp, as a program that maps it sees it; the test's process isn't the server's.
class Client {
 public:
  explicit Client(const SoundServer& server) : fd_(::open(server.dsp().c_str(), O_RDWR | O_CLOEXEC)) {}
  template <class T>
  T ask(unsigned long command, T value = {}) {
    EXPECT_EQ(::ioctl(fd_.get(), command, &value), 0) << std::hex << command;
    return value;
  }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
};

TEST_F(PagedRingsTest, AnUntouchedRingIsSilenceAndCapabilitiesSayThatItCanBeMapped) {
  SoundServer server(paged());
  ASSERT_TRUE(server.ready()) << server.log();
  Client client(server);  // U8, whose silence isn't zeros
  EXPECT_NE(client.ask<int>(SNDCTL_DSP_GETCAPS) & DSP_CAP_MMAP, 0);
  const auto space = client.ask<audio_buf_info>(SNDCTL_DSP_GETOSPACE);
  const auto size = static_cast<std::size_t>(space.bytes);
  const ClientMap ring(client.fd(), size, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(ring.ok()) << ring.error();
  for (std::size_t i = 0; i < size; ++i) {
    ASSERT_EQ(ring.bytes()[i], 0x80) << i;
  }
}

// write(2) waits with the file locked, and the stream that it ends has a ring that is read through that file.
TEST_F(PagedRingsTest, AWriteThatWaitsEndsTheMappedPathAndIsHeard) {
  SoundServer server(paged());
  ASSERT_TRUE(server.ready()) << server.log();
  Client client(server);
  client.ask<int>(SNDCTL_DSP_SETFRAGMENT, 0x0004000a);
  client.ask<int>(SNDCTL_DSP_SETFMT, AFMT_S16_LE);
  const ClientMap ring(client.fd(), 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
  ASSERT_TRUE(ring.ok()) << ring.error();
  client.ask<int>(SNDCTL_DSP_SETTRIGGER, PCM_ENABLE_OUTPUT);
  pollfd played{client.fd(), POLLOUT, 0};
  ASSERT_EQ(::poll(&played, 1, 10'000), 1) << "the ring is played";
  std::vector<std::int16_t> sound;
  for (std::size_t i = 0; i < 8000; ++i) {
    sound.push_back(sample_played(i));
  }
  ASSERT_EQ(::write(client.fd(), sound.data(), 16'000), 16'000) << "four times the ring";
  client.ask<int>(SNDCTL_DSP_SYNC);
  const Audio heard = server.finish();
  ASSERT_GE(heard.samples.size(), sound.size());
  EXPECT_TRUE(std::equal(sound.rbegin(), sound.rend(), heard.samples.rbegin()));
}

TEST_F(PagedRingsTest, AProgramWhoseRingPlaysCanBeKilled) {
  SoundServer server(paged());
  ASSERT_TRUE(server.ready()) << server.log();
  Process player({DMMAP_DSP_CLIENT, server.dsp(), "map"});
  ASSERT_TRUE(player.wait_for_output("playing", kPatience)) << player.out();
  EXPECT_TRUE(maps(player.pid(), server.dsp()));
  player.kill(SIGKILL);
  EXPECT_FALSE(player.wait(kPatience).timed_out);
  EXPECT_TRUE(server.says("through mmap")) << "its stream has ended";
  server.finish();
}

}  // namespace
}  // namespace dmmap::testing
