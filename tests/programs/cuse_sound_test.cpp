// The sound device as a real character device, which programs map: by CUSE, on a kernel with kernel/patches.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "programs/players.h"
#include "programs/pulse_duplex.h"
#include "programs/sound_server.h"
#include "support/requirement.h"

namespace dmmap::testing {
namespace {

class CuseSoundTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("DMMAP_KERNEL_PATCHED") == nullptr) {
      GTEST_SKIP() << "a character device that programs map: a kernel with kernel/patches is needed";
    }
    ASSERT_EQ(::access("/dev/cuse", R_OK | W_OK), 0) << "this kernel is to have CUSE";
  }
  static SoundServerOptions dsp() { return {.recording = {}, .environment = {}, .user = {}, .cuse = "dsp"}; }
};

TEST_F(CuseSoundTest, SdlDmaPlaysThroughMmap) {
  DMMAP_NEEDS(needs::program("mplayer"));
  SoundServer server(dsp());
  ASSERT_TRUE(server.ready()) << server.log();
  EXPECT_EQ(server.dsp(), "/dev/dsp");
  struct stat looks {};
  ASSERT_EQ(::stat("/dev/dsp", &looks), 0);
  EXPECT_TRUE(S_ISCHR(looks.st_mode));
  one_plays_through_mmap(server);
}

TEST_F(CuseSoundTest, TwoSdlDmaProgramsPlayAtTheSameTime) {
  DMMAP_NEEDS(needs::program("mplayer"));
  SoundServer server(dsp());
  ASSERT_TRUE(server.ready()) << server.log();
  two_play_through_mmap(server);
}

TEST_F(CuseSoundTest, PulseaudioPlaysAndRecordsByMappingsOfOneOpen) {
  plays_and_records_at_once(dsp(), {});
}

}  // namespace
}  // namespace dmmap::testing
