// Samples, channels: what the bytes of each format mean, against libsndfile's reading of the same bytes.
#include "servers/sound/audio/format.h"

#include <gtest/gtest.h>
#include <sndfile.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>

#include "servers/sound/audio/channels.h"
#include "sound/support.h"
#include "support/temporary_directory.h"

namespace dmmap::sound::testing {
namespace {

constexpr Encoding kAll[] = {Encoding::u8,         Encoding::s8,     Encoding::mu_law, Encoding::a_law,
                             Encoding::s16_le,     Encoding::s16_be, Encoding::s24_le, Encoding::s24_be,
                             Encoding::s24_packed, Encoding::s32_le, Encoding::s32_be, Encoding::float32};
static_assert(std::size(kAll) == kEncodings);

TEST(Format, EverySampleOfS16ComesBackAsItWas) {
  std::vector<std::int16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = static_cast<std::int16_t>(static_cast<int>(i) - 32768);
  }
  std::vector<float> samples;
  append_samples(Encoding::s16_le, bytes_of(all), samples);
  ASSERT_EQ(samples.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(to_s16(samples[i]), all[i]);
  }
}

TEST(Format, WhatIsTooLoudIsClamped) {
  EXPECT_EQ(to_s16(1.5F), 32767);
  EXPECT_EQ(to_s16(-1.5F), -32768);
  EXPECT_EQ(to_s16(1.0F), 32767);
}

TEST(Format, NamesAndBitsAreOneToOne) {
  int all = 0;
  for (const Encoding each : kAll) {
    EXPECT_EQ(encoding_of(oss_bits(each)), each) << name_of(each);
    EXPECT_EQ(all & oss_bits(each), 0) << name_of(each);
    all |= oss_bits(each);
  }
  EXPECT_FALSE(encoding_of(0));
  EXPECT_FALSE(encoding_of(all));
  EXPECT_FALSE(encoding_of(-1));
}

TEST(Format, TheByteOfSilenceIsSilence) {
  for (const Encoding each : kAll) {
    const std::vector<std::byte> bytes(24, silence(each));
    std::vector<float> samples;
    append_samples(each, bytes, samples);
    ASSERT_EQ(samples.size(), 24 / sample_bytes(each)) << name_of(each);
    for (const float sample : samples) {
      EXPECT_LE(std::abs(sample), 1.0F / 4096) << name_of(each);  // A-law has no zero
    }
  }
}

// How libsndfile calls the same bytes.
struct Known {
  Encoding encoding;
  int subtype;
  int order;
};
class ReferenceTest : public ::testing::TestWithParam<Known> {};

TEST_P(ReferenceTest, IsWhatLibsndfileReads) {
  const Known& known = GetParam();
  std::vector<std::byte> bytes(12'000);
  std::mt19937 random(1);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(i < 256 ? i : random());
  }
  if (known.encoding == Encoding::float32) {
    for (std::size_t i = 0; i < bytes.size() / 4; ++i) {
      const float value = static_cast<float>(static_cast<int>(random() % 20'001) - 10'000) / 10'000;
      std::memcpy(bytes.data() + 4 * i, &value, 4);
    }
  }
  const dmmap::testing::TemporaryDirectory directory;
  const std::string file = directory / "raw";
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),  // NOLINT
             static_cast<std::streamsize>(bytes.size()));
  SF_INFO info{};
  info.samplerate = 8000;
  info.channels = 1;
  info.format = SF_FORMAT_RAW | known.subtype | known.order;
  SNDFILE* const reader = sf_open(file.c_str(), SFM_READ, &info);
  ASSERT_NE(reader, nullptr) << sf_strerror(nullptr);
  std::vector<double> expected(bytes.size());
  expected.resize(static_cast<std::size_t>(sf_read_double(reader, expected.data(), 12'000)));
  sf_close(reader);

  std::vector<float> samples;
  append_samples(known.encoding, bytes, samples);
  ASSERT_EQ(samples.size(), expected.size());
  ASSERT_GE(samples.size(), 3000U);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    ASSERT_EQ(samples[i], static_cast<float>(expected[i])) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Format, ReferenceTest,
                         ::testing::Values(Known{Encoding::u8, SF_FORMAT_PCM_U8, 0},
                                           Known{Encoding::s8, SF_FORMAT_PCM_S8, 0},
                                           Known{Encoding::mu_law, SF_FORMAT_ULAW, 0},
                                           Known{Encoding::a_law, SF_FORMAT_ALAW, 0},
                                           Known{Encoding::s16_le, SF_FORMAT_PCM_16, SF_ENDIAN_LITTLE},
                                           Known{Encoding::s16_be, SF_FORMAT_PCM_16, SF_ENDIAN_BIG},
                                           Known{Encoding::s24_packed, SF_FORMAT_PCM_24, SF_ENDIAN_LITTLE},
                                           Known{Encoding::s32_le, SF_FORMAT_PCM_32, SF_ENDIAN_LITTLE},
                                           Known{Encoding::s32_be, SF_FORMAT_PCM_32, SF_ENDIAN_BIG},
                                           Known{Encoding::float32, SF_FORMAT_FLOAT, SF_ENDIAN_LITTLE}),
                         [](const auto& each) { return std::string(name_of(each.param.encoding)); });

// The upper byte of the container means nothing.
TEST(Format, TwentyFourBitsAreTheLowOnesOfTheirContainer) {
  for (const int value : {0, 1, -1, 8'388'607, -8'388'608, 123'456}) {
    const auto bits = static_cast<unsigned>(value);
    const auto byte = [bits](unsigned place) { return static_cast<std::byte>(bits >> (8 * place)); };
    for (const std::byte upper : {std::byte{0}, std::byte{0xff}, byte(3)}) {
      const std::vector<std::byte> little{byte(0), byte(1), byte(2), upper};
      const std::vector<std::byte> big{upper, byte(2), byte(1), byte(0)};
      std::vector<float> samples;
      append_samples(Encoding::s24_le, little, samples);
      append_samples(Encoding::s24_be, big, samples);
      ASSERT_EQ(samples.size(), 2U);
      EXPECT_EQ(to_s24(samples[0]), value);
      EXPECT_EQ(to_s24(samples[1]), value);
    }
  }
}

TEST(Format, WhatAFloatCanNotMeanIsSilence) {
  const std::vector<float> bad{std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                               -std::numeric_limits<float>::infinity(), 0.5F};
  std::vector<float> samples;
  append_samples(Encoding::float32, std::as_bytes(std::span(bad)), samples);
  EXPECT_EQ(samples, (std::vector<float>{0, 0, 0, 0.5F}));
  EXPECT_EQ(to_s24(2.0F), 8'388'607);
  EXPECT_EQ(to_s24(-2.0F), -8'388'608);
}

TEST(ChannelMap, AsManyChannelsPassAsTheyAre) {
  for (unsigned channels = 1; channels <= kMostChannels; ++channels) {
    const ChannelMap map(channels, channels);
    EXPECT_TRUE(map.changes_nothing());
    std::vector<float> frame(channels * 3);
    for (std::size_t i = 0; i < frame.size(); ++i) {
      frame[i] = static_cast<float>(i);
    }
    std::vector<float> out{-1};
    map.apply(frame, out);
    frame.insert(frame.begin(), -1);
    EXPECT_EQ(out, frame);
  }
}

TEST(ChannelMap, NothingButBassIsLostAndNothingIsTooLoud) {
  for (unsigned from = 1; from <= kMostChannels; ++from) {
    for (unsigned to = 1; to <= kMostChannels; ++to) {
      const ChannelMap map(from, to);
      for (unsigned target = 0; target < to; ++target) {
        float sum = 0;
        for (unsigned source = 0; source < from; ++source) {
          sum += map.gain(source, target);
        }
        EXPECT_LE(sum, 1.0001F) << from << " to " << to;
      }
      for (unsigned source = 0; source < from; ++source) {
        float heard = 0;
        for (unsigned target = 0; target < to; ++target) {
          heard += map.gain(source, target);
        }
        const bool bass = from >= 6 && source == 5 && to < 6;
        EXPECT_EQ(heard > 0.1F, !bass) << from << " to " << to << ", channel " << source;
      }
    }
  }
}

TEST(ChannelMap, LeftStaysLeftAndRightStaysRight) {
  for (unsigned from = 2; from <= kMostChannels; ++from) {
    for (unsigned to = 2; to <= kMostChannels; ++to) {
      const ChannelMap map(from, to);
      EXPECT_EQ(map.gain(0, 1), 0) << from << " to " << to;
      EXPECT_EQ(map.gain(1, 0), 0) << from << " to " << to;
      EXPECT_EQ(map.gain(0, 0), map.gain(1, 1));
    }
  }
  EXPECT_EQ(ChannelMap(1, 2).gain(0, 0), 1);
  EXPECT_EQ(ChannelMap(1, 2).gain(0, 1), 1);
  EXPECT_EQ(ChannelMap(2, 1).gain(0, 0), 0.5F);
}

}  // namespace
}  // namespace dmmap::sound::testing
