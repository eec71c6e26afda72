#include "servers/sound/mix/mixer.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "sound/support.h"

namespace dmmap::sound::testing {
namespace {

using std::chrono::milliseconds;

constexpr Time kBegin{std::chrono::seconds(10)};

Chunk whole(const std::vector<std::int16_t>& samples, Time at) {
  return {.format = kMono8000, .begins = true, .at = at, .bytes = bytes_of(samples), .ends = true};
}

class MixerTest : public ::testing::Test {
 protected:
  std::shared_ptr<Heard> heard = std::make_shared<Heard>();
  std::vector<std::string> logged;
};

TEST_F(MixerTest, NothingPlayedIsNothingHeard) {
  const Levels levels;
  Mixer mixer{std::make_unique<MemorySink>(heard), {}, levels, {}};
  mixer.mix(kBegin, {});
  mixer.finish();
  EXPECT_FALSE(heard->started);
}

TEST_F(MixerTest, ShortSoundsWithinOnePeriodKeepTheirPlaces) {
  const Levels levels;
  Mixer mixer{std::make_unique<MemorySink>(heard), {}, levels, {}};
  const std::vector<std::int16_t> one(40, 100);
  const std::vector<std::int16_t> other(40, 7);
  // The first for 5 ms from 0, the other for 5 ms from 2 ms on; given in the wrong order.
  std::vector<Part> parts;
  parts.push_back({1, {whole(other, kBegin + milliseconds(2))}});
  parts.push_back({2, {whole(one, kBegin)}});
  mixer.mix(kBegin + milliseconds(20), parts);
  ASSERT_EQ(heard->samples.size(), 56U);
  EXPECT_EQ(heard->samples[15], 100);
  EXPECT_EQ(heard->samples[16], 107);
  EXPECT_EQ(heard->samples[39], 107);
  EXPECT_EQ(heard->samples[40], 7);
}

TEST_F(MixerTest, AStreamThatStopsAndBeginsAgainWithinOnePeriodKeepsBoth) {
  const Levels levels;
  Mixer mixer{std::make_unique<MemorySink>(heard), {}, levels, {}};
  const auto sound = noise(40, 1);
  std::vector<Part> parts;
  parts.push_back({1, {whole(sound, kBegin), whole(sound, kBegin + milliseconds(10))}});
  mixer.mix(kBegin + milliseconds(20), parts);
  ASSERT_EQ(heard->samples.size(), 120U);
  EXPECT_TRUE(std::equal(sound.begin(), sound.end(), heard->samples.begin()));
  EXPECT_TRUE(std::equal(sound.begin(), sound.end(), heard->samples.begin() + 80));
  EXPECT_EQ(heard->samples[60], 0);
}

TEST_F(MixerTest, FinishGivesAllThatAResamplerHolds) {
  const Levels levels;
  Mixer mixer{std::make_unique<MemorySink>(heard), {.rate = 48000, .channels = 1}, levels, {}};
  Chunk chunk = whole(noise(8000, 2), kBegin);
  chunk.ends = false;
  std::vector<Part> parts;
  parts.push_back({1, {chunk}});
  mixer.mix(kBegin + std::chrono::seconds(1), parts);
  EXPECT_LT(heard->samples.size(), 48'000U);
  mixer.finish();
  EXPECT_NEAR(static_cast<double>(heard->samples.size()), 48'000, 2);
}

TEST_F(MixerTest, StereoIsAveragedForAMonoSink) {
  const Levels levels;
  Mixer mixer{std::make_unique<MemorySink>(heard), {.rate = {}, .channels = 1}, levels, {}};
  Chunk chunk = whole({100, 200, -50, 50, 1000, 3000}, kBegin);
  chunk.format.channels = 2;
  std::vector<Part> parts;
  parts.push_back({1, {chunk}});
  mixer.mix(kBegin + milliseconds(20), parts);
  EXPECT_EQ(heard->samples, (std::vector<std::int16_t>{150, 0, 2000}));
}

class FailingSink final : public Sink {
 public:
  Result<void> start(const SinkFormat& /*format*/) override { return {}; }
  Result<void> write(std::span<const float> /*samples*/) override { return fail(ENOSPC, "it's full"); }
  Result<void> sync() override { return {}; }
};

TEST_F(MixerTest, AFailingSinkIsLoggedOnce) {
  const Levels levels;
  Mixer mixer{std::make_unique<FailingSink>(), {}, levels, [this](LogLevel level, const std::string& text) {
                EXPECT_EQ(level, LogLevel::error);
                logged.push_back(text);
              }};
  for (int i = 0; i < 3; ++i) {
    std::vector<Part> parts;
    parts.push_back({1, {whole(noise(10, 3), kBegin)}});
    mixer.mix(kBegin + milliseconds(20), parts);
  }
  EXPECT_EQ(logged, (std::vector<std::string>{"it's full"}));
  EXPECT_TRUE(mixer.failed());
  EXPECT_EQ(mixer.frames(), 30U);
}

}  // namespace
}  // namespace dmmap::sound::testing
