// Programs as Debian packages them, unmodified, playing through a real mount of `dmmap sound`; and what was heard
// compared with what they played.
//
// The material has few samples a second, so that a fragment takes a tenth of a second and a busy machine doesn't make a
// program late. A second of silence follows it: what a program leaves unplayed when it ends isn't the server's doing.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <thread>
#include <vector>

#include "programs/players.h"
#include "programs/sound_server.h"
#include "support/audio_compare.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"

namespace dmmap::testing {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
using Path = std::filesystem::path;

// A tone that rises and falls: its blocks differ from each other, and resampling leaves it as it is.
Audio siren(unsigned rate, double length) {
  Audio audio{.rate = rate, .channels = 1, .samples = {}};
  double phase = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(length * rate); ++i) {
    const double t = static_cast<double>(i) / rate;
    phase += 2 * std::numbers::pi * (900 + 600 * std::sin(2.1 * t) + 200 * std::sin(17 * t)) / rate;
    audio.samples.push_back(static_cast<std::int16_t>(std::lround(12000 * std::sin(phase))));
  }
  return audio;
}

// Debian's sox 14.4.2 writes past the end of its buffer, and dies, when what it plays by its OSS driver isn't a
// multiple of 4096 samples: so it gets one.
Path saved_for_sox(const SoundServer& server, Audio audio) {
  constexpr std::size_t kChunk = 4096;
  const std::size_t frames = (audio.frames() + audio.rate + kChunk - 1) / kChunk * kChunk;
  audio.samples.resize(frames * audio.channels);
  Path file = server.directory() / "original.wav";
  EXPECT_TRUE(write_wav(file, audio));
  return file;
}

class ProgramsTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::passthrough()); }
};

TEST_F(ProgramsTest, SdlDmaPlaysThroughMmap) {
  DMMAP_NEEDS(needs::program("mplayer"));
  SoundServer server(8000, 1);
  ASSERT_TRUE(server.ready()) << server.log();
  one_plays_through_mmap(server);
}

TEST_F(ProgramsTest, TwoSdlDmaProgramsHaveTwoRegionsAndBothAreInTheMix) {
  DMMAP_NEEDS(needs::program("mplayer"));
  SoundServer server(8000, 1);
  ASSERT_TRUE(server.ready()) << server.log();
  two_play_through_mmap(server);
}

TEST_F(ProgramsTest, SdlDspPlaysThroughWrite) {
  DMMAP_NEEDS(needs::program("mplayer"));
  SoundServer server(8000, 2);
  ASSERT_TRUE(server.ready()) << server.log();
  const Audio original = noise(8000, 2, 3, 4);
  Process player(mplayer(saved(server, "original.wav", original)), sdl(server, "dsp"));
  EXPECT_EQ(player.wait(kPlaying).status, 0) << player.err();
  expect_exact(original, server.finish());
}

TEST_F(ProgramsTest, SdlDmaIsResampledToWhatTheSinkHas) {
  DMMAP_NEEDS(needs::program("mplayer"));
  SoundServer server(48000, 2);
  ASSERT_TRUE(server.ready()) << server.log();
  const Audio original = siren(11025, 3);
  Process player(mplayer(saved(server, "original.wav", original)), sdl(server, "dma"));
  EXPECT_EQ(player.wait(kPlaying).status, 0) << player.err();
  const Audio heard = server.finish();
  const Match match = compare(original, heard);
  EXPECT_GT(match.worst_block, 0.99) << describe(match, original, heard);
  EXPECT_NEAR(peak(heard), peak(original), 300);
}

TEST_F(ProgramsTest, Mpg123PlaysThroughWrite) {
  DMMAP_NEEDS(needs::program("mpg123"));
  DMMAP_NEEDS(needs::program("sox"));
  SoundServer server(8000, 1);
  ASSERT_TRUE(server.ready()) << server.log();
  const Path wav = saved(server, "original.wav", siren(8000, 3));
  const Path mp3 = server.directory() / "original.mp3";
  const Path decoded = server.directory() / "decoded.wav";
  const Outcome encoding = run({"sox", wav, mp3}, kPlaying);
  ASSERT_EQ(encoding.status, 0) << encoding.err;
  ASSERT_EQ(run({"mpg123", "-q", "-w", decoded, mp3}, kPlaying).status, 0);
  const Outcome played = run({"mpg123", "-q", "-o", "oss", "-a", server.dsp(), mp3}, kPlaying);
  EXPECT_EQ(played.status, 0) << played.err;
  expect_exact(without_silence_around(read_audio(decoded)), server.finish());
}

TEST_F(ProgramsTest, SoxPlaysThroughWrite) {
  DMMAP_NEEDS(needs::program("sox"));
  SoundServer server(11025, 2);
  ASSERT_TRUE(server.ready()) << server.log();
  const Audio original = noise(11025, 2, 3, 5);
  const Outcome played = run({"sox", "-q", saved_for_sox(server, original), "-t", "oss", server.dsp()}, kPlaying);
  EXPECT_EQ(played.status, 0) << played.err;
  expect_exact(original, server.finish());
}

// From a file's order of channels to OSS's, and back in the recording.
TEST_F(ProgramsTest, MplayerPlaysSixChannelsThroughWrite) {
  DMMAP_NEEDS(needs::program("mplayer"));
  SoundServer server(8000, 6);
  ASSERT_TRUE(server.ready()) << server.log();
  const Audio original = noise(8000, 6, 3, 8);
  std::vector<std::string> command = mplayer(saved(server, "original.wav", original));
  const auto output = std::find(command.begin(), command.end(), "sdl");
  ASSERT_NE(output, command.end());
  *output = "oss:" + server.dsp().string();
  command.insert(command.end(), {"-channels", "6"});
  const Outcome played = run(command, kPlaying);
  EXPECT_EQ(played.status, 0) << played.err;
  EXPECT_NE(server.log().find("S16_LE 8000 Hz 6 channels"), std::string::npos) << server.log();
  expect_exact(original, server.finish());
}

TEST_F(ProgramsTest, SoxIsResampledToWhatTheSinkHas) {
  DMMAP_NEEDS(needs::program("sox"));
  SoundServer server(48000, 2);
  ASSERT_TRUE(server.ready()) << server.log();
  const Audio original = siren(22050, 3);
  const Outcome played = run({"sox", "-q", saved_for_sox(server, original), "-t", "oss", server.dsp()}, kPlaying);
  EXPECT_EQ(played.status, 0) << played.err;
  const Audio heard = server.finish();
  const Match match = compare(original, heard);
  EXPECT_GT(match.worst_block, 0.99) << describe(match, original, heard);
}

// CPython's module, with the file's last sample loud: close() has to wait until that has been played.
constexpr const char* kPythonPlayer = R"(
import ossaudiodev, sys, time, wave
sound = wave.open(sys.argv[1])
data = sound.readframes(sound.getnframes())
dsp = ossaudiodev.open(sys.argv[2], 'w')
have = dsp.setparameters(ossaudiodev.AFMT_S16_LE, sound.getnchannels(), sound.getframerate(), True)
begin = time.monotonic()
dsp.writeall(data)
dsp.close()
print(have, time.monotonic() - begin)
)";

TEST_F(ProgramsTest, PythonsCloseReturnsWhenAllHasBeenPlayed) {
  DMMAP_NEEDS(needs::program("/usr/bin/python3"));
  SoundServer server(11025, 1);
  ASSERT_TRUE(server.ready()) << server.log();
  const Audio original = noise(11025, 1, 2, 6);
  const Path file = server.directory() / "original.wav";
  ASSERT_TRUE(write_wav(file, original));
  const auto begin = steady_clock::now();
  const Outcome played = run({"/usr/bin/python3", "-W", "ignore", "-c", kPythonPlayer, file, server.dsp()}, kPlaying);
  const std::chrono::duration<double> took = steady_clock::now() - begin;
  EXPECT_EQ(played.status, 0) << played.err;
  EXPECT_TRUE(played.out.starts_with("(16, 1, 11025) ")) << played.out;
  EXPECT_GE(took.count(), original.seconds()) << "close() came back before the end";
  expect_exact(original, server.finish());
}

}  // namespace
}  // namespace dmmap::testing
