// Debian's programs, unmodified, recording through a real mount of `dmmap sound`, by read and by mmap, and setting its
// mixer; and those that play and record at once. What they recorded is compared with the file that the server records
// from.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "programs/alsa_config.h"
#include "programs/players.h"
#include "programs/pulse_server.h"
#include "programs/sound_server.h"
#include "support/audio_compare.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {
namespace {

using std::chrono::seconds;
using Path = std::filesystem::path;

class RecordingProgramsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::passthrough());
    ASSERT_TRUE(write_wav(source_file_, source_));
    server_.emplace(
        SoundServerOptions{.recording = {}, .environment = {}, .user = {}, .source = "wav:" + source_file_.string()});
    ASSERT_TRUE(server_->ready()) << server_->log();
  }
  // What is in `file` is the source from its beginning on, and of this length at least.
  void expect_recorded(const Path& file, double at_least) {
    const Audio recorded = read_audio(file);
    EXPECT_GE(recorded.seconds(), at_least);
    const Match match = compare(recorded, source_);
    EXPECT_TRUE(match.exact) << describe(match, recorded, source_);
  }
  [[nodiscard]] std::string dsp() const { return server_->dsp().string(); }
  [[nodiscard]] Path file(const std::string& name) const { return directory_ / name; }

  TemporaryDirectory directory_;
  Path source_file_ = directory_ / "source.wav";
  Audio source_ = noise(8000, 1, 6, 21);
  std::optional<SoundServer> server_;
};

TEST_F(RecordingProgramsTest, Sox) {
  DMMAP_NEEDS(needs::program("sox"));
  const Outcome sox = run({"sox", "-q", "-r", "8000", "-c", "1", "-b", "16", "-e", "signed", "-t", "oss", dsp(), "-t",
                           "wav", file("sox.wav"), "trim", "0", "2"},
                          kPlaying);
  EXPECT_EQ(sox.status, 0) << sox.err;
  expect_recorded(file("sox.wav"), 2);
}

TEST_F(RecordingProgramsTest, Ffmpeg) {
  DMMAP_NEEDS(needs::program("ffmpeg"));
  const Outcome ffmpeg = run({"ffmpeg", "-nostdin", "-loglevel", "error", "-f", "oss", "-sample_rate", "8000",
                              "-channels", "1", "-t", "2", "-i", dsp(), file("ffmpeg.wav")},
                             kPlaying);
  EXPECT_EQ(ffmpeg.status, 0) << ffmpeg.err;
  expect_recorded(file("ffmpeg.wav"), 1.9);
}

TEST_F(RecordingProgramsTest, ArecordByAlsasOssPlugin) {
  DMMAP_NEEDS(needs::program("arecord"));
  const Outcome arecord =
      run({"arecord", "-q", "-D", "dmmap", "-f", "S16_LE", "-r", "8000", "-c", "1", "-d", "2", file("arecord.wav")},
          kPlaying, alsa_on(*server_));
  EXPECT_EQ(arecord.status, 0) << arecord.err;
  expect_recorded(file("arecord.wav"), 2);
}

TEST_F(RecordingProgramsTest, Gstreamer) {
  DMMAP_NEEDS(needs::program("gst-launch-1.0"));
  const Outcome gst = run({"gst-launch-1.0", "-q", "osssrc", "device=" + dsp(), "num-buffers=200", "!",
                           "audio/x-raw,format=S16LE,rate=8000,channels=1", "!", "wavenc", "!", "filesink",
                           "location=" + file("gst.wav").string()},
                          kPlaying);
  EXPECT_EQ(gst.status, 0) << gst.err;
  expect_recorded(file("gst.wav"), 1);
}

// It maps the ring of a file that's open for reading alone.
TEST_F(RecordingProgramsTest, PulseaudioByMmap) {
  DMMAP_NEEDS(needs::program("pulseaudio"));
  DMMAP_NEEDS(needs::program("parec"));
  PulseServer pulse({"module-oss device=" + dsp() +
                     " mmap=1 playback=0 record=1 rate=8000 channels=1 format=s16le fragments=8 fragment_size=2048 "
                     "source_name=dmmap"});
  ASSERT_TRUE(pulse.ready()) << pulse.log();
  EXPECT_TRUE(maps(pulse.pid(), server_->dsp()));
  Process parec(
      {"parec", "-d", "dmmap", "--file-format=wav", "--rate=8000", "--channels=1", "--format=s16le", file("parec.wav")},
      pulse.client());
  EXPECT_TRUE(wait_until(
      [&] {
        return std::filesystem::exists(file("parec.wav")) && std::filesystem::file_size(file("parec.wav")) > 32'000;
      },
      seconds(20)));
  parec.kill(SIGTERM);
  parec.wait(seconds(20));
  expect_recorded(file("parec.wav"), 1.9);
  EXPECT_TRUE(server_->says("records S16_LE 8000 Hz mono, 8x2048, mmap"));
}

// It maps both directions of its one open; they're one memory, which playback has (docs/sound.md).
TEST_F(RecordingProgramsTest, PulseaudioPlaysByMmapThoughItMapsBothDirections) {
  DMMAP_NEEDS(needs::program("pulseaudio"));
  DMMAP_NEEDS(needs::program("paplay"));
  {
    PulseServer pulse({"module-oss device=" + dsp() +
                       " mmap=1 rate=8000 channels=1 format=s16le fragments=8 fragment_size=2048 sink_name=dmmap"});
    ASSERT_TRUE(pulse.ready()) << pulse.log();
    EXPECT_TRUE(maps(pulse.pid(), server_->dsp()));
    const Audio original = noise(8000, 1, 2, 22);
    const Outcome paplay =
        run({"paplay", "-d", "dmmap", saved(*server_, "original.wav", original)}, kPlaying, pulse.client());
    EXPECT_EQ(paplay.status, 0) << paplay.err;
    std::this_thread::sleep_for(seconds(2));  // what PulseAudio holds is heard, and then its ring is silent
    EXPECT_NE(server_->log().find("8x2048, mmap"), std::string::npos) << server_->log();
    pulse.end();
    expect_exact(original, server_->finish());
  }
}

// Reads and writes on one open: what is read is the source, and what is written is heard.
constexpr const char* kPythonBoth = R"(
import ossaudiodev, sys, wave
sound = wave.open(sys.argv[2])
data = sound.readframes(sound.getnframes())
dsp = ossaudiodev.open(sys.argv[1], 'rw')
dsp.setparameters(ossaudiodev.AFMT_S16_LE, 1, 8000, True)
recorded = wave.open(sys.argv[3], 'wb')
recorded.setparams(sound.getparams())
for at in range(0, len(data), 1024):
    dsp.writeall(data[at:at + 1024])
    recorded.writeframes(dsp.read(1024))
recorded.close()
dsp.close()
)";

TEST_F(RecordingProgramsTest, PythonPlaysAndRecordsOnOneOpen) {
  DMMAP_NEEDS(needs::program("/usr/bin/python3"));
  const Audio original = noise(8000, 1, 2, 23);
  const Path played = file("played.wav");
  ASSERT_TRUE(write_wav(played, original));
  const Outcome python =
      run({"/usr/bin/python3", "-W", "ignore", "-c", kPythonBoth, dsp(), played, file("recorded.wav")}, kPlaying);
  EXPECT_EQ(python.status, 0) << python.err;
  expect_recorded(file("recorded.wav"), 1.5);
  expect_exact(original, server_->finish());
}

TEST_F(RecordingProgramsTest, OnePlaysWhileAnotherRecords) {
  DMMAP_NEEDS(needs::program("sox"));
  DMMAP_NEEDS(needs::program("mplayer"));
  const Audio original = noise(8000, 1, 2, 24);
  Process player(mplayer(saved(*server_, "original.wav", original)), sdl(*server_, "dma"));
  const Outcome sox = run({"sox", "-q", "-r", "8000", "-c", "1", "-b", "16", "-e", "signed", "-t", "oss", dsp(), "-t",
                           "wav", file("sox.wav"), "trim", "0", "2"},
                          kPlaying);
  EXPECT_EQ(sox.status, 0) << sox.err;
  EXPECT_EQ(player.wait(kPlaying).status, 0) << player.err();
  expect_recorded(file("sox.wav"), 2);
  expect_exact(original, server_->finish());
}

// After the source's end there's silence, not an end.
TEST_F(RecordingProgramsTest, ASourceThatIsShorterThanWhatIsReadIsSilenceFromThereOn) {
  DMMAP_NEEDS(needs::program("sox"));
  source_ = noise(8000, 1, 1, 25);
  const Path longer = file("longer.wav");
  ASSERT_TRUE(write_wav(source_file_, source_));
  const Outcome sox = run({"sox", "-q", "-r", "8000", "-c", "1", "-b", "16", "-e", "signed", "-t", "oss", dsp(), "-t",
                           "wav", longer, "trim", "0", "2"},
                          kPlaying);
  EXPECT_EQ(sox.status, 0) << sox.err;
  const Audio recorded = read_audio(longer);
  EXPECT_EQ(recorded.frames(), 16'000U);
  EXPECT_EQ(without_silence_around(recorded).samples, source_.samples);
}

TEST_F(RecordingProgramsTest, AumixAndAmixerSetTheMixer) {
  DMMAP_NEEDS(needs::program("aumix"));
  DMMAP_NEEDS(needs::program("amixer"));
  const std::string mixer = (server_->mountpoint() / "mixer").string();
  const auto aumix = [&](const std::vector<std::string>& words) {
    std::vector<std::string> argv{"aumix", "-d", mixer};
    argv.insert(argv.end(), words.begin(), words.end());
    const Outcome outcome = run(argv, kPlaying);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  };
  EXPECT_EQ(aumix({"-q"}), "vol 100, 100\npcm 100, 100\nmic 100, 100, R\n");
  aumix({"-v", "40", "-m", "50"});
  EXPECT_EQ(aumix({"-q"}), "vol 40, 40\npcm 100, 100\nmic 50, 50, R\n");
  const Outcome amixer = run({"amixer", "-D", "dmmap", "sset", "PCM", "60,20"}, kPlaying, alsa_on(*server_));
  EXPECT_EQ(amixer.status, 0) << amixer.err;
  EXPECT_EQ(aumix({"-q"}), "vol 40, 40\npcm 60, 20\nmic 50, 50, R\n");
}

// At 50 % of the master's level what is heard is an eighth of what was played (mix/levels.h).
TEST_F(RecordingProgramsTest, WhatAumixSetsIsHeard) {
  DMMAP_NEEDS(needs::program("aumix"));
  DMMAP_NEEDS(needs::program("mplayer"));
  ASSERT_EQ(run({"aumix", "-d", (server_->mountpoint() / "mixer").string(), "-v", "50"}, kPlaying).status, 0);
  const Audio original = noise(8000, 1, 2, 26);
  EXPECT_EQ(run(mplayer(saved(*server_, "original.wav", original)), kPlaying, sdl(*server_, "dma")).status, 0);
  const Audio heard = server_->finish();
  const Match match = compare(original, heard);
  EXPECT_GT(match.worst_block, 0.999) << describe(match, original, heard);
  EXPECT_NEAR(peak(heard), peak(original) / 8.0, 2);
}

// Into a paged ring, whose pages the kernel has, it's stored by system calls; who triggers, and then only reads, has it
// stored, too, for a while. And a write that waits doesn't keep that from going on.
TEST(RecordingTest, APagedRingIsRecordedInto) {
  DMMAP_NEEDS(needs::mounting());
  DMMAP_NEEDS(needs::kernel(6, 6));
  DMMAP_NEEDS(needs::program("pulseaudio"));
  const TemporaryDirectory directory;
  const Audio source = noise(8000, 1, 8, 27);
  const auto recorded = [&](const std::string& name) { return read_audio(directory / name); };
  ASSERT_TRUE(write_wav(directory / "source.wav", source));
  SoundServer server(SoundServerOptions{.recording = {},
                                        .environment = {},
                                        .ring = "paged",
                                        .user = {},
                                        .source = "wav:" + (directory / "source.wav").string()});
  ASSERT_TRUE(server.ready()) << server.log();
  PulseServer pulse({"module-oss device=" + server.dsp().string() +
                     " mmap=1 playback=0 record=1 rate=8000 channels=1 format=s16le fragments=8 fragment_size=2048 "
                     "source_name=dmmap"});
  ASSERT_TRUE(pulse.ready()) << pulse.log();
  Process parec({"parec", "-d", "dmmap", "--file-format=wav", "--rate=8000", "--channels=1", "--format=s16le",
                 directory / "parec.wav"},
                pulse.client());
  // Opens for both, has both triggered, and writes more than the ring holds.
  constexpr const char* kBoth = R"(
import fcntl, os, struct, sys
dsp = os.open(sys.argv[1], os.O_RDWR)
for command, value in ((0xc0045005, 16), (0xc0045006, 1), (0xc0045002, 8000), (0x40045010, 0), (0x40045010, 3)):
    fcntl.ioctl(dsp, command, struct.pack('i', value))
os.write(dsp, bytes(32000))
assert os.read(dsp, 100)
os.close(dsp)
)";
  const Outcome both = run({"/usr/bin/python3", "-c", kBoth, server.dsp()}, seconds(20));
  EXPECT_EQ(both.status, 0) << both.err;
  EXPECT_FALSE(both.timed_out);
  const Outcome arecord = run(
      {"arecord", "-q", "-D", "dmmap", "-f", "S16_LE", "-r", "8000", "-c", "1", "-d", "1", directory / "arecord.wav"},
      kPlaying, alsa_on(server));
  EXPECT_EQ(arecord.status, 0) << arecord.err;
  parec.kill(SIGTERM);
  parec.wait(seconds(20));
  for (const std::string name : {"parec.wav", "arecord.wav"}) {
    const Audio heard = recorded(name);
    EXPECT_GE(heard.seconds(), 1) << name;
    const Match match = compare(heard, source);
    EXPECT_TRUE(match.exact) << name << ": " << describe(match, heard, source);
  }
}

TEST(RecordingTest, WithoutASourceOpeningForReadingIsRefused) {
  DMMAP_NEEDS(needs::passthrough());
  SoundServer server(SoundServerOptions{.recording = {}, .environment = {}, .user = {}, .source = "none"});
  ASSERT_TRUE(server.ready()) << server.log();
  EXPECT_EQ(::open(server.dsp().c_str(), O_RDONLY | O_CLOEXEC), -1);
  EXPECT_EQ(errno, ENODEV);
  const int both = ::open(server.dsp().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(both, 0);
  char byte = 0;
  EXPECT_EQ(::read(both, &byte, 1), -1);
  EXPECT_EQ(errno, ENXIO);
  ::close(both);
}

TEST(RecordingTest, ASourceThatIsNoSoundIsRefusedBeforeAnythingIsMounted) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "text.wav") << "no sound";
  for (const auto& [source, reason] : {std::pair{(directory / "text.wav").string(), "isn't a sound file"},
                                       std::pair{(directory / "missing.wav").string(), "No such file"}}) {
    const Outcome refused = run({DMMAP_PROGRAM, "sound", directory.path(), "--source", "wav:" + source}, kPlaying);
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.err.find(reason), std::string::npos) << refused.err;
  }
  const Outcome unknown = run({DMMAP_PROGRAM, "sound", directory.path(), "--source", "wav"}, kPlaying);
  EXPECT_EQ(unknown.status, 2);
  EXPECT_NE(unknown.err.find("say wav:FILE"), std::string::npos) << unknown.err;
}

}  // namespace
}  // namespace dmmap::testing
