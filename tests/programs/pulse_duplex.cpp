#include "programs/pulse_duplex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "programs/players.h"
#include "programs/pulse_server.h"
#include "support/audio_compare.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {

using std::chrono::seconds;

// PulseAudio maps what it plays for writing and what it records for reading, of one open.
void plays_and_records_at_once(SoundServerOptions options, const std::vector<std::string>& before) {
  DMMAP_NEEDS(needs::program("pulseaudio"));
  DMMAP_NEEDS(needs::program("paplay"));
  DMMAP_NEEDS(needs::program("parec"));
  const TemporaryDirectory directory;
  const Audio source = noise(8000, 1, 12, 41);
  const Audio played = noise(8000, 1, 2, 42);
  ASSERT_TRUE(write_wav(directory / "source.wav", source));
  options.source = "wav:" + (directory / "source.wav").string();
  SoundServer server(options);
  ASSERT_TRUE(server.ready()) << server.log();
  PulseServer pulse({"module-oss device=" + server.dsp().string() +
                     " mmap=1 rate=8000 channels=1 format=s16le fragments=8 fragment_size=2048 sink_name=out "
                     "source_name=in"},
                    before);
  ASSERT_TRUE(pulse.ready()) << pulse.log();
  Process parec({"parec", "-d", "in", "--file-format=wav", "--rate=8000", "--channels=1", "--format=s16le",
                 directory / "parec.wav"},
                pulse.client());
  const Outcome paplay = run({"paplay", "-d", "out", saved(server, "played.wav", played)}, kPlaying, pulse.client());
  EXPECT_EQ(paplay.status, 0) << paplay.err;
  std::this_thread::sleep_for(seconds(2));  // what PulseAudio holds is heard, and then its ring is silent
  EXPECT_TRUE(server.says("8000 Hz mono, 8x2048, mmap"));
  EXPECT_TRUE(server.says("records S16_LE 8000 Hz mono, 8x2048, mmap")) << server.log();
  parec.kill(SIGTERM);
  parec.wait(seconds(20));
  pulse.end();
  const Audio recorded = read_audio(directory / "parec.wav");
  EXPECT_GE(recorded.seconds(), 1);
  const Match match = compare(recorded, source);
  EXPECT_TRUE(match.exact) << describe(match, recorded, source);
  expect_exact(played, server.finish());
}

}  // namespace dmmap::testing
