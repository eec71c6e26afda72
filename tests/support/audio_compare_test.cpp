// The comparison itself: it finds what is there, and isn't content with what is nearly there.
#include "support/audio_compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>

#include "support/temporary_directory.h"

namespace dmmap::testing {
namespace {

// Noise has one place only where it fits.
Audio noise(unsigned rate, unsigned channels, std::size_t frames, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> sample(-9000, 9000);
  Audio audio{.rate = rate, .channels = channels, .samples = std::vector<std::int16_t>(frames * channels)};
  std::generate(audio.samples.begin(), audio.samples.end(), [&] { return static_cast<std::int16_t>(sample(random)); });
  return audio;
}

Audio chirp(unsigned rate, double seconds) {
  Audio audio{.rate = rate, .channels = 1, .samples = {}};
  for (std::size_t i = 0; i < static_cast<std::size_t>(seconds * rate); ++i) {
    const double t = static_cast<double>(i) / rate;
    audio.samples.push_back(
        static_cast<std::int16_t>(std::lround(8000 * std::sin(6.283185307 * (200 * t + 400 * t * t)))));
  }
  return audio;
}

Audio surrounded(const Audio& audio, std::size_t before, std::size_t after) {
  Audio result = audio;
  result.samples.insert(result.samples.begin(), before * audio.channels, 0);
  result.samples.insert(result.samples.end(), after * audio.channels, 0);
  return result;
}

TEST(AudioCompareTest, FindsTheOriginalInTheMiddle) {
  const Audio original = noise(8000, 2, 5000, 1);
  const Match match = compare(original, surrounded(original, 777, 300));
  EXPECT_TRUE(match.exact);
  EXPECT_EQ(match.offset, 777U);
  EXPECT_EQ(match.first_unequal, 5000U);
  EXPECT_NEAR(match.correlation, 1, 1e-9);
}

TEST(AudioCompareTest, OneSampleOffIsNotExact) {
  const Audio original = noise(8000, 1, 5000, 2);
  Audio capture = surrounded(original, 100, 100);
  ++capture.samples[100 + 1234];
  const Match match = compare(original, capture);
  EXPECT_FALSE(match.exact);
  EXPECT_EQ(match.equal_frames, 4999U);
  EXPECT_EQ(match.first_unequal, 1234U);
}

TEST(AudioCompareTest, AMissingFrameIsNotExactAndShowsInABlock) {
  const Audio original = noise(8000, 1, 8000, 3);
  Audio capture = surrounded(original, 100, 100);
  capture.samples.erase(capture.samples.begin() + 4000);
  const Match match = compare(original, capture);
  EXPECT_FALSE(match.exact);
  EXPECT_LT(match.worst_block, 0.5);
}

TEST(AudioCompareTest, AMissingEndIsNotExact) {
  const Audio original = noise(8000, 1, 5000, 4);
  Audio capture = surrounded(original, 100, 0);
  capture.samples.pop_back();
  const Match match = compare(original, capture);
  EXPECT_FALSE(match.exact);
  EXPECT_EQ(match.first_unequal, 4999U);
}

TEST(AudioCompareTest, SomethingElseDoesNotCorrelate) {
  EXPECT_LT(compare(noise(8000, 1, 5000, 5), noise(8000, 1, 9000, 6)).correlation, 0.1);
}

TEST(AudioCompareTest, ComparesAcrossRatesAndChannels) {
  const Audio original = chirp(22050, 2);
  const Audio capture = surrounded(with_channels(with_rate(original, 48000), 2), 5000, 4000);
  const Match match = compare(original, capture);
  EXPECT_EQ(match.offset, 5000U);
  EXPECT_GT(match.worst_block, 0.999);
}

TEST(AudioCompareTest, AMixComesApart) {
  const Audio one = noise(8000, 1, 5000, 7);
  const Audio other = noise(8000, 1, 6000, 8);
  Audio mix = surrounded(one, 500, 4000);
  for (std::size_t i = 0; i < other.samples.size(); ++i) {
    mix.samples[1000 + i] = static_cast<std::int16_t>(mix.samples[1000 + i] + other.samples[i]);
  }
  const Match first = compare(one, mix);
  EXPECT_EQ(first.offset, 500U);
  const Audio rest = without(mix, one, first.offset);
  EXPECT_TRUE(compare(other, rest).exact);
  EXPECT_EQ(peak(without(rest, other, 1000)), 0);
}

TEST(AudioCompareTest, NothingIsNoMatch) {
  const Audio original = noise(8000, 1, 100, 9);
  EXPECT_FALSE(compare(original, Audio{.rate = 8000, .channels = 1, .samples = {}}).exact);
  EXPECT_FALSE(compare(Audio{}, original).exact);
  EXPECT_EQ(without_silence_around(surrounded(original, 50, 60)).samples, original.samples);
}

TEST(AudioCompareTest, WavFilesKeepEverySample) {
  const TemporaryDirectory directory;
  const Audio audio = noise(11025, 2, 1000, 10);
  ASSERT_TRUE(write_wav(directory / "a.wav", audio));
  const Audio back = read_audio(directory / "a.wav");
  EXPECT_EQ(back.rate, 11025U);
  EXPECT_EQ(back.channels, 2U);
  EXPECT_EQ(back.samples, audio.samples);
  EXPECT_EQ(read_audio(directory / "none.wav").channels, 0U);
}

}  // namespace
}  // namespace dmmap::testing
