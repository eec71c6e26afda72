// What is behind the device: a real PulseAudio and ALSA's library, as sinks and as sources of a real `dmmap sound`. A
// null sink of PulseAudio is heard by its monitor; ALSA's `file` plugin writes what it's given.
//
// When a stream begins, PulseAudio takes back what its sink has made of silence ahead of time, and the monitor, which
// has that already, misses as much of the stream's beginning (tried with paplay and parec alone). So a second of
// silence comes first.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "programs/players.h"
#include "programs/pulse_server.h"
#include "programs/sound_server.h"
#include "support/audio_compare.h"
#include "support/files.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {
namespace {

using std::chrono::seconds;
using Path = std::filesystem::path;

constexpr const char* kNullSink = "module-null-sink sink_name=speaker rate=8000 channels=1 format=s16le";

Audio raw_audio(const Path& file, unsigned rate, unsigned channels) {
  Audio audio{rate, channels, {}};
  const std::string bytes = bytes_of(file);
  audio.samples.resize(bytes.size() / sizeof(std::int16_t));
  std::memcpy(audio.samples.data(), bytes.data(), audio.samples.size() * sizeof(std::int16_t));
  return audio;
}

class PulseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::passthrough());
    DMMAP_NEEDS(needs::program("pulseaudio"));
    DMMAP_NEEDS(needs::program("parec"));
    ASSERT_TRUE(pulse_.ready()) << pulse_.log();
  }
  void serve(const std::string& sink, const std::string& source = "silence") {
    server_.emplace(SoundServerOptions{
        .recording = {}, .environment = pulse_.environment(), .user = {}, .source = source, .sink = sink});
    ASSERT_TRUE(server_->ready()) << server_->log();
  }
  void listen() {
    std::filesystem::remove(heard_);
    parec_.emplace(std::vector<std::string>{"parec", "--latency-msec=20", "-d", "speaker.monitor", "--file-format=wav",
                                            "--rate=8000", "--channels=1", "--format=s16le", heard_.string()},
                   pulse_.client());
    ASSERT_TRUE(wait_until(
        [this] {
          std::error_code none;
          return std::filesystem::file_size(heard_, none) > 4000 && !none;
        },
        seconds(20)));
  }
  Audio heard() {
    parec_->kill(SIGTERM);
    parec_->wait(seconds(20));
    return read_audio(heard_);
  }
  static Audio after_silence(Audio audio) {
    audio.samples.insert(audio.samples.begin(), 8000, 0);
    return audio;
  }
  // By SDL's dma driver, that is by mmap.
  void play(const Audio& audio) {
    const Outcome played =
        run(mplayer(saved(*server_, "original.wav", after_silence(audio))), kPlaying, sdl(*server_, "dma"));
    EXPECT_EQ(played.status, 0) << played.err;
  }

  TemporaryDirectory directory_;
  Path heard_ = directory_ / "heard.wav";
  PulseServer pulse_{{kNullSink}};
  std::optional<SoundServer> server_;
  std::optional<Process> parec_;
};

TEST_F(PulseTest, ASinkHearsWhatIsPlayed) {
  ASSERT_NO_FATAL_FAILURE(serve("pulse:speaker"));
  ASSERT_NO_FATAL_FAILURE(listen());
  const Audio original = noise(8000, 1, 3, 51);
  play(original);
  EXPECT_TRUE(server_->says("sink pulse:speaker: it plays, 8000 Hz and 1 channels"));
  server_->end();
  expect_exact(original, heard());
}

TEST_F(PulseTest, ASinkThatIsKilledIsOpenedAgain) {
  ASSERT_NO_FATAL_FAILURE(serve("pulse:speaker"));
  ASSERT_NO_FATAL_FAILURE(listen());
  Process mapper({DMMAP_DSP_CLIENT, server_->dsp(), "map"});
  EXPECT_TRUE(server_->says("it plays"));
  parec_->kill(SIGKILL);
  parec_->wait(seconds(20));
  pulse_.process().kill(SIGKILL);
  pulse_.process().wait(seconds(20));
  EXPECT_TRUE(server_->says("sink pulse:speaker: the sound server has gone"));
  // Who plays doesn't notice: it goes on by the machine's clock.
  const Audio unheard = noise(8000, 1, 1, 52);
  play(unheard);
  pulse_.begin();
  ASSERT_TRUE(pulse_.ready()) << pulse_.log();
  EXPECT_TRUE(server_->says("is back"));
  mapper.kill(SIGKILL);
  mapper.wait(seconds(20));
  ASSERT_NO_FATAL_FAILURE(listen());
  const Audio original = noise(8000, 1, 2, 53);
  play(original);
  server_->end();
  expect_exact(original, heard());
}

TEST_F(PulseTest, ASinkThatIsStoppedHoldsNobodyUp) {
  ASSERT_NO_FATAL_FAILURE(serve("pulse:speaker"));
  Process mapper({DMMAP_DSP_CLIENT, server_->dsp(), "map"});
  EXPECT_TRUE(server_->says("it plays"));
  pulse_.process().kill(SIGSTOP);
  EXPECT_TRUE(server_->says("it takes nothing any more"));
  play(noise(8000, 1, 1, 54));
  pulse_.process().kill(SIGCONT);
  EXPECT_TRUE(server_->says("is back"));
  pulse_.process().kill(SIGSTOP);
  mapper.kill(SIGKILL);
  mapper.wait(seconds(20));
  server_->end();  // in time, though nothing can be played out
  pulse_.process().kill(SIGCONT);
}

TEST_F(PulseTest, ASinkThatIsNotThereIsWaitedFor) {
  pulse_.end();
  ASSERT_NO_FATAL_FAILURE(serve("pulse"));
  Process mapper({DMMAP_DSP_CLIENT, server_->dsp(), "map"});
  EXPECT_TRUE(server_->says("sink pulse: no sound server answers"));
  pulse_.begin();
  ASSERT_TRUE(pulse_.ready()) << pulse_.log();
  EXPECT_TRUE(server_->says("is back"));
  const std::string log = server_->log();
  EXPECT_EQ(log.find("no sound server answers"), log.rfind("no sound server answers")) << log;
  mapper.kill(SIGKILL);
  mapper.wait(seconds(20));
  server_->end();
}

TEST_F(PulseTest, ASourceIsRecorded) {
  ASSERT_NO_FATAL_FAILURE(serve("null", "pulse:speaker.monitor"));
  Process sox({"sox", "-q", "-r", "8000", "-c", "1", "-b", "16", "-e", "signed", "-t", "oss", server_->dsp(), "-t",
               "wav", heard_, "trim", "0", "8"});
  EXPECT_TRUE(server_->says("source pulse:speaker.monitor: it's recorded"));
  const Audio original = noise(8000, 1, 2, 55);
  const Outcome paplay = run({"paplay", "-d", "speaker", saved(*server_, "original.wav", after_silence(original))},
                             kPlaying, pulse_.client());
  EXPECT_EQ(paplay.status, 0) << paplay.err;
  EXPECT_EQ(sox.wait(seconds(30)).status, 0);
  expect_exact(original, read_audio(heard_));
  server_->end();
}

TEST_F(PulseTest, ASourceThatIsStoppedOrKilledIsSilence) {
  ASSERT_NO_FATAL_FAILURE(serve("null", "pulse:speaker.monitor"));
  const std::vector<std::string> sox{"sox", "-q",  "-r",           "8000", "-c",  "1",    "-b",   "16", "-e", "signed",
                                     "-t",  "oss", server_->dsp(), "-t",   "wav", heard_, "trim", "0",  "4"};
  Process first(sox);
  EXPECT_TRUE(server_->says("it's recorded"));
  pulse_.process().kill(SIGSTOP);
  EXPECT_EQ(first.wait(seconds(30)).status, 0);
  EXPECT_TRUE(server_->says("nothing comes any more"));
  EXPECT_GE(read_audio(heard_).seconds(), 4);
  pulse_.process().kill(SIGKILL);
  pulse_.process().wait(seconds(20));
  EXPECT_EQ(run(sox, seconds(30)).status, 0);
  pulse_.begin();
  Process last(sox);
  EXPECT_TRUE(server_->says("is back"));
  EXPECT_EQ(last.wait(seconds(30)).status, 0);
  server_->end();
}

class AlsaTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::passthrough()); }
  void serve(const std::string& configuration, const std::string& sink, const std::string& source) {
    const Path file = directory_ / "asound.conf";
    std::ofstream(file) << "pcm.nothing { type null }\n" << configuration;
    server_.emplace(SoundServerOptions{.recording = {},
                                       .environment = {"ALSA_CONFIG_PATH=" + file.string()},
                                       .user = {},
                                       .source = source,
                                       .sink = sink});
    ASSERT_TRUE(server_->ready()) << server_->log();
  }
  TemporaryDirectory directory_;
  std::optional<SoundServer> server_;
};

TEST_F(AlsaTest, ASinkHearsWhatIsPlayed) {
  const Path heard = directory_ / "heard.raw";
  ASSERT_NO_FATAL_FAILURE(
      serve("pcm.speaker { type file slave.pcm nothing file \"" + heard.string() + "\" format raw }\n", "alsa:speaker",
            "silence"));
  const Audio original = noise(8000, 1, 3, 61);
  const Outcome played = run(mplayer(saved(*server_, "original.wav", original)), kPlaying, sdl(*server_, "dma"));
  EXPECT_EQ(played.status, 0) << played.err;
  EXPECT_TRUE(server_->says("sink alsa:speaker: it plays, 8000 Hz and 1 channels"));
  server_->end();
  expect_exact(original, raw_audio(heard, 8000, 1));
}

TEST_F(AlsaTest, ASourceIsRecorded) {
  const Path sound = directory_ / "sound.raw";
  const Audio original = noise(8000, 1, 3, 62);
  {
    std::ofstream out(sound, std::ios::binary);  // of 32 bits, which is what the device asks for first
    out << std::string(32'000, '\0');            // a second that comes before sox has asked for any
    for (const std::int16_t sample : original.samples) {
      const std::int32_t wide = sample * 65536;
      out.write(reinterpret_cast<const char*>(&wide), sizeof wide);
    }
  }
  ASSERT_NO_FATAL_FAILURE(serve(
      "pcm.microphone { type file slave.pcm nothing file /dev/null format raw infile \"" + sound.string() + "\" }\n",
      "null", "alsa:microphone"));
  const Path recorded = directory_ / "recorded.wav";
  const Outcome sox = run({"sox", "-q", "-r", "8000", "-c", "1", "-b", "16", "-e", "signed", "-t", "oss",
                           server_->dsp(), "-t", "wav", recorded, "trim", "0", "5"},
                          kPlaying);
  EXPECT_EQ(sox.status, 0) << sox.err;
  server_->end();
  expect_exact(original, read_audio(recorded));
}

TEST_F(AlsaTest, ASinkThatIsNotThereHoldsNobodyUp) {
  ASSERT_NO_FATAL_FAILURE(serve("", "alsa:hw:99", "alsa:hw:99"));
  const Outcome played =
      run(mplayer(saved(*server_, "original.wav", noise(8000, 1, 1, 63))), kPlaying, sdl(*server_, "dsp"));
  EXPECT_EQ(played.status, 0) << played.err;
  EXPECT_TRUE(server_->says("sink alsa:hw:99: ALSA can't open it"));
  server_->end();
}

}  // namespace
}  // namespace dmmap::testing
