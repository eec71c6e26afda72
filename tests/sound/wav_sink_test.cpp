#include "servers/sound/sinks/wav_sink.h"

#include <gtest/gtest.h>
#include <sndfile.h>
#include <sys/resource.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "servers/sound/sinks/sink.h"
#include "sound/support.h"
#include "support/audio_compare.h"
#include "support/temporary_directory.h"

namespace dmmap::sound::testing {
namespace {

using dmmap::testing::read_audio;
using dmmap::testing::TemporaryDirectory;

std::vector<float> floats(const std::vector<std::int16_t>& samples) {
  std::vector<float> made;
  append_samples(Encoding::s16_le, bytes_of(samples), made);
  return made;
}

TEST(Sink, SaysWhatItCanNotBe) {
  for (const std::string bad : {"", "wav", "wav:", "mp3:file", "NULL", "pulse:", "alsa:", "pulses", "null:"}) {
    const auto choice = parse_sink(bad);
    ASSERT_FALSE(choice) << bad;
    EXPECT_EQ(choice.error().code, EINVAL);
    EXPECT_NE(choice.error().message.find("wav:FILE"), std::string::npos);
  }
  EXPECT_EQ(parse_sink("null")->kind, SinkChoice::Kind::null);
  EXPECT_EQ(parse_sink("wav:a:b")->name, "a:b");
  EXPECT_EQ(parse_sink("pulse")->name, "");
  EXPECT_EQ(parse_sink("pulse:speaker")->name, "speaker");
  EXPECT_EQ(parse_sink("alsa")->name, "default");
  EXPECT_EQ(parse_sink("alsa:hw:0,1")->name, "hw:0,1");
  const auto missing = open_sink({SinkChoice::Kind::wav, "/no/such/folder/x.wav"}, [](LogLevel, const std::string&) {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
}

class WavSinkTest : public ::testing::Test {
 protected:
  std::unique_ptr<WavSink> create() {
    auto sink = WavSink::create(file);
    EXPECT_TRUE(sink) << sink.error().message;
    EXPECT_TRUE((*sink)->begin());
    return std::move(*sink);
  }
  TemporaryDirectory directory;
  std::string file = directory / "out.wav";
};

TEST_F(WavSinkTest, KeepsTwentyFourBitsOfSixChannels) {
  std::vector<float> samples;
  for (int i = 0; i < 6 * 1000; ++i) {
    samples.push_back(static_cast<float>(i * 2797 % 16'777'216 - 8'388'608) / 8'388'608.0F);
  }
  {
    const auto sink = create();
    ASSERT_TRUE(sink->start({192'000, 6, 24}));
    ASSERT_TRUE(sink->write(samples));
  }
  SF_INFO info{};
  SNDFILE* const reader = sf_open(file.c_str(), SFM_READ, &info);
  ASSERT_NE(reader, nullptr) << sf_strerror(nullptr);
  EXPECT_EQ(info.samplerate, 192'000);
  EXPECT_EQ(info.channels, 6);
  EXPECT_EQ(info.format & SF_FORMAT_SUBMASK, SF_FORMAT_PCM_24);
  std::vector<int> back(samples.size());
  EXPECT_EQ(sf_readf_int(reader, back.data(), 1000), 1000);
  sf_close(reader);
  // Centre and bass come before the rear ones in a WAV file.
  constexpr std::array<std::size_t, 6> kPlaces{0, 1, 4, 5, 2, 3};
  for (std::size_t i = 0; i < back.size(); ++i) {
    ASSERT_EQ(back[i] / 256, to_s24(samples[i / 6 * 6 + kPlaces.at(i % 6)])) << i;
  }
}

TEST_F(WavSinkTest, HasEverySample) {
  const auto sound = noise(44100, 1);
  const auto samples = floats(sound);
  {
    const auto sink = create();
    ASSERT_TRUE(sink->start({44100, 2}));
    ASSERT_TRUE(sink->write(std::span<const float>(samples).first(10'000)));
    ASSERT_TRUE(sink->write(std::span<const float>(samples).subspan(10'000)));
  }
  const auto audio = read_audio(file);
  EXPECT_EQ(audio.rate, 44100U);
  EXPECT_EQ(audio.channels, 2U);
  EXPECT_EQ(audio.samples, sound);
}

TEST_F(WavSinkTest, CanBeReadWhileItGrows) {
  const auto sink = create();
  ASSERT_TRUE(sink->start({8000, 1}));
  ASSERT_TRUE(sink->write(floats(noise(8000, 2))));
  EXPECT_GE(read_audio(file).samples.size(), 6000U) << "all but the last quarter of a second";
  ASSERT_TRUE(sink->write(floats(noise(100, 3))));
  ASSERT_TRUE(sink->sync());
  EXPECT_EQ(read_audio(file).samples.size(), 8100U);
}

TEST_F(WavSinkTest, IsAFileThoughNothingWasPlayed) {
  create().reset();
  const auto audio = read_audio(file);
  EXPECT_EQ(audio.rate, 48000U);
  EXPECT_EQ(audio.channels, 2U);
  EXPECT_TRUE(audio.samples.empty());
}

TEST_F(WavSinkTest, OneAtATimeRecordsIntoAFile) {
  const auto sound = noise(8000, 6);
  {
    const auto sink = create();
    ASSERT_TRUE(sink->start({8000, 1}));
    ASSERT_TRUE(sink->write(floats(sound)));
    const auto second = WavSink::create(file);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, EBUSY);
    EXPECT_NE(second.error().message.find(file), std::string::npos) << second.error().message;
    EXPECT_NE(second.error().message.find("name another file"), std::string::npos) << second.error().message;
  }
  EXPECT_EQ(read_audio(file).samples, sound) << "the second has changed nothing";
  create().reset();
  EXPECT_TRUE(read_audio(file).samples.empty()) << "free once the first has ended, and begun anew";
}

TEST_F(WavSinkTest, OneThatNeverBeganLeavesThingsAsTheyWere) {
  ASSERT_TRUE(WavSink::create(file));
  EXPECT_FALSE(std::filesystem::exists(file));
  const std::string link = directory / "link.wav";
  std::filesystem::create_symlink("out.wav", link);
  ASSERT_TRUE(WavSink::create(link));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_FALSE(std::filesystem::exists(file));
  std::ofstream(file) << "not even a recording";
  ASSERT_TRUE(WavSink::create(file));
  EXPECT_EQ(std::filesystem::file_size(file), 20U);
}

// A file that may not grow beyond a limit fails as a full disk does, in the middle of a block.
TEST_F(WavSinkTest, AFullDiskKeepsWhatItHas) {
  const auto before = ::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto sound = noise(50'000, 4);
  const auto samples = floats(sound);
  {
    const auto sink = create();
    ASSERT_TRUE(sink->start({8000, 1}));
    ASSERT_TRUE(sink->write(std::span<const float>(samples).first(20'000)));
    const rlimit limit{50'001, old.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    const auto full = sink->write(std::span<const float>(samples).subspan(20'000));
    ASSERT_FALSE(full);
    EXPECT_NE(full.error().message.find("File too large"), std::string::npos) << full.error().message;
    EXPECT_NE(full.error().message.find("Make room"), std::string::npos);
    EXPECT_TRUE(sink->write(floats(sound))) << "it's said once; the rest is dropped";
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ::signal(SIGXFSZ, before);
  const auto audio = read_audio(file);
  ASSERT_GE(audio.samples.size(), 20'000U);
  ASSERT_LE(audio.samples.size(), 25'000U);
  EXPECT_TRUE(std::equal(audio.samples.begin(), audio.samples.end(), sound.begin()));
}

TEST_F(WavSinkTest, ADeviceThatIsAlwaysFullIsAnError) {
  auto sink = WavSink::create("/dev/full");
  ASSERT_TRUE(sink);
  ASSERT_TRUE((*sink)->begin());
  ASSERT_TRUE(WavSink::create("/dev/full")) << "a device is nobody's alone";
  auto outcome = (*sink)->start({8000, 1});
  if (outcome) {
    outcome = (*sink)->write(floats(noise(8000, 5)));
  }
  ASSERT_FALSE(outcome);
}

}  // namespace
}  // namespace dmmap::sound::testing
