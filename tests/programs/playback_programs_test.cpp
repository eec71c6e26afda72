// More of Debian's programs, unmodified, playing through a real mount of `dmmap sound`: an emulator through mmap, and
// by write what speaks OSS 3 and OSS 4. See programs_test.cpp for the others.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <fstream>
#include <numbers>
#include <string>
#include <vector>

#include "programs/alsa_config.h"
#include "programs/players.h"
#include "programs/sound_server.h"
#include "support/audio_compare.h"
#include "support/process.h"
#include "support/requirement.h"

namespace dmmap::testing {
namespace {

class PlaybackProgramsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::passthrough());
    ASSERT_TRUE(server_.ready()) << server_.log();
  }
  // The program plays `file_`, and all of it is heard, sample for sample.
  void expect_played(const std::vector<std::string>& program, const ProcessOptions& options = {}) {
    const Outcome played = run(program, kPlaying, options);
    EXPECT_EQ(played.status, 0) << played.err;
    EXPECT_NE(server_.log().find(", write"), std::string::npos) << server_.log();
    expect_exact(original_, server_.finish());
  }

  // Of a rate whose frames last whole microseconds: of others GStreamer's sinks leave out the first frame themselves.
  SoundServer server_{8000, 2};
  Audio original_ = noise(8000, 2, 2, 31);
  std::string file_ = saved(server_, "original.wav", original_).string();
};

TEST_F(PlaybackProgramsTest, Ffmpeg) {
  DMMAP_NEEDS(needs::program("ffmpeg"));
  expect_played({"ffmpeg", "-nostdin", "-loglevel", "error", "-i", file_, "-f", "oss", server_.dsp()});
}

TEST_F(PlaybackProgramsTest, AplayByAlsasOssPlugin) {
  DMMAP_NEEDS(needs::program("aplay"));
  expect_played({"aplay", "-q", "-D", "dmmap", file_}, alsa_on(server_));
}

TEST_F(PlaybackProgramsTest, GstreamersOss3Sink) {
  DMMAP_NEEDS(needs::program("gst-launch-1.0"));
  expect_played({"gst-launch-1.0", "-q", "filesrc", "location=" + file_, "!", "wavparse", "!", "osssink",
                 "device=" + server_.dsp().string()});
}

// It asks SNDCTL_AUDIOINFO and the like before it plays.
TEST_F(PlaybackProgramsTest, GstreamersOss4Sink) {
  DMMAP_NEEDS(needs::program("gst-launch-1.0"));
  expect_played({"gst-launch-1.0", "-q", "filesrc", "location=" + file_, "!", "wavparse", "!", "oss4sink",
                 "device=" + server_.dsp().string()});
}

TEST_F(PlaybackProgramsTest, MplayersOwnOss) {
  DMMAP_NEEDS(needs::program("mplayer"));
  expect_played({"mplayer", "-noconfig", "all", "-really-quiet", "-noconsolecontrols", "-nolirc", "-ao",
                 "oss:" + server_.dsp().string() + ":" + (server_.mountpoint() / "mixer").string(), file_});
}

// What is written to `audio` without a word before is mu-law, 8 kHz, mono: every code of it, as G.711 decodes it.
TEST(AudioDeviceTest, CatPlaysMuLaw) {
  DMMAP_NEEDS(needs::passthrough());
  SoundServer server(8000, 1);
  ASSERT_TRUE(server.ready()) << server.log();
  const auto file = server.directory() / "codes.ul";
  Audio expected{.rate = 8000, .channels = 1, .samples = {}};
  {
    std::ofstream out(file, std::ios::binary);
    for (int i = 0; i < 8000; ++i) {
      const auto code = static_cast<unsigned>(i * 37 % 127);  // not the two that are silence
      out.put(static_cast<char>(code));
      const unsigned bits = ~code & 0x7f;
      const int magnitude = static_cast<int>(((bits & 0xf) * 2 + 33) << (bits >> 4)) - 33;
      expected.samples.push_back(static_cast<std::int16_t>(-4 * magnitude));
    }
  }
  const Outcome cat =
      run({"sh", "-c", "cat " + file.string() + " > " + (server.mountpoint() / "audio").string()}, kPlaying);
  EXPECT_EQ(cat.status, 0) << cat.err;
  expect_exact(expected, server.finish());
}

// A DOS program that has the PC's timer drive the speaker, for 54 ticks of the BIOS (3 s), and ends.
constexpr std::array<unsigned char, 52> kTone{0xb0, 0xb6, 0xe6, 0x43,              // timer 2: a square wave, by
                                              0xb0, 0xa9, 0xe6, 0x42,              // 1193182 Hz / 0x4a9
                                              0xb0, 0x04, 0xe6, 0x42,              //
                                              0xe4, 0x61, 0x0c, 0x03, 0xe6, 0x61,  // the speaker on
                                              0xb4, 0x00, 0xcd, 0x1a,              // dx = the clock's ticks
                                              0x89, 0xd3, 0x83, 0xc3, 0x36,        // bx = dx + 54
                                              0xb4, 0x00, 0xcd, 0x1a,              // until dx
                                              0x39, 0xda, 0x75, 0xf8,              // is bx
                                              0xe4, 0x61, 0x24, 0xfc, 0xe6, 0x61,  // the speaker off
                                              0xcd, 0x20};                         // the end
constexpr double kToneHertz = 1193182.0 / 0x4a9;

// The part of the energy of `audio`'s left channel, from second `from` to `to`, that a tone of `hertz` has.
double part_of_tone(const Audio& audio, double from, double to, double hertz) {
  double re = 0;
  double im = 0;
  double all = 0;
  std::size_t count = 0;
  for (auto frame = static_cast<std::size_t>(from * audio.rate); frame < static_cast<std::size_t>(to * audio.rate);
       ++frame) {
    const double sample = audio.samples.at(frame * audio.channels);
    const double phase = 2 * std::numbers::pi * hertz * static_cast<double>(frame) / audio.rate;
    re += sample * std::cos(phase);
    im += sample * std::sin(phase);
    all += sample * sample;
    ++count;
  }
  return all == 0 ? 0 : 2 * (re * re + im * im) / (all * static_cast<double>(count));
}

TEST_F(PlaybackProgramsTest, DosboxPlaysThroughMmap) {
  DMMAP_NEEDS(needs::program("dosbox"));
  const auto drive = server_.directory() / "drive";
  std::filesystem::create_directory(drive);
  std::ofstream(drive / "tone.com", std::ios::binary).write(reinterpret_cast<const char*>(kTone.data()), kTone.size());
  const auto config = server_.directory() / "dosbox.conf";
  std::ofstream(config) << "[mixer]\nrate=8000\nblocksize=1024\nprebuffer=100\n"
                        << "[speaker]\npcspeaker=true\npcrate=8000\n[sblaster]\nsbtype=none\n[midi]\nmididevice=none\n"
                        << "[autoexec]\nmount c " << drive.string() << "\nc:\ntone.com\nexit\n";
  ProcessOptions options = sdl(server_, "dma");
  options.environment.emplace_back("SDL_VIDEODRIVER=dummy");
  const Outcome dosbox = run({"dosbox", "-conf", config}, kPlaying, options);
  EXPECT_EQ(dosbox.status, 0) << dosbox.err;
  EXPECT_NE(server_.log().find("S16_LE 8000 Hz stereo, 32x4096, mmap"), std::string::npos) << server_.log();
  const Audio heard = without_silence_around(server_.finish());
  ASSERT_GT(heard.seconds(), 2) << "what dosbox holds when it ends is lost";
  EXPECT_LT(heard.seconds(), 3.2);
  // A square wave has 8/pi^2 of its energy in its lowest tone, 81 %; that of others of the same loudness next to it is
  // as good as none. In each quarter of a second, so that a gap or a repetition shows.
  for (double at = 0.1; at < 1.7; at += 0.25) {
    EXPECT_GT(part_of_tone(heard, at, at + 0.25, kToneHertz), 0.75) << at;
    EXPECT_LT(part_of_tone(heard, at, at + 0.25, kToneHertz * 1.05), 0.05) << at;
  }
}

}  // namespace
}  // namespace dmmap::testing
