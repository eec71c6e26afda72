// The engine with simulated time: what programs play comes out as it went in.
#include "servers/sound/mix/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <thread>

#include "sound/support.h"
#include "support/audio_compare.h"

namespace dmmap::sound::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A program with a sound to play on a stream of its own.
class Client {
 protected:
  Client(TestSource& source, const Clock& clock, std::vector<std::byte> sound, const AudioFormat& format)
      : source_(source), clock_(clock), sound_(std::move(sound)) {
    source_.stream.set_format(now(), format);
  }
  [[nodiscard]] Time now() const { return clock_.now(); }
  [[nodiscard]] PlaybackStream& stream() { return source_.stream; }
  [[nodiscard]] std::span<std::byte> ring() { return source_.region->bytes(); }
  /// What hasn't been played yet, and at most `most` bytes of it.
  [[nodiscard]] std::span<const std::byte> rest(std::size_t most = SIZE_MAX) const {
    return std::span(sound_).subspan(done_).first(std::min(most, sound_.size() - done_));
  }
  void have_given(std::size_t bytes) { done_ += bytes; }
  [[nodiscard]] bool closed() const { return source_.closed; }
  void has_closed() { source_.closed = true; }

 private:
  TestSource& source_;
  const Clock& clock_;
  std::vector<std::byte> sound_;
  std::size_t done_ = 0;
};

// What SDL 1.2's dma driver does: two fragments; wait until one has been played, ask for the position, fill the other.
class SdlDmaClient : private Client {
 public:
  SdlDmaClient(TestSource& source, const Clock& clock, const std::vector<std::int16_t>& sound,
               std::uint32_t fragment_log2, const AudioFormat& format)
      : Client(source, clock, bytes_of(sound), format) {
    EXPECT_TRUE(stream().set_fragments(0x00020000U | fragment_log2));
    stream().trigger(now(), false);
    stream().trigger(now(), true);
  }

  void poll() {
    while (stream().writable(now())) {
      const Position position = stream().position(now());
      ASSERT_EQ(position.blocks, 1U) << "a fragment was passed over";
      const Fragments has = stream().fragments();
      const std::uint64_t fill = (position.ring / has.size + 1) % has.count * has.size;
      const auto next = rest(has.size);
      const auto fragment = ring().subspan(fill, has.size);
      std::fill(std::copy(next.begin(), next.end(), fragment.begin()), fragment.end(), std::byte{0});
      have_given(next.size());
    }
  }
  void close() {
    stream().reset(now());
    has_closed();
  }
};

// Blocking write(2): gives what fits, and goes on when there's room.
class Writer : private Client {
 public:
  Writer(TestSource& source, const Clock& clock, std::vector<std::byte> sound, const AudioFormat& format)
      : Client(source, clock, std::move(sound), format) {}

  void poll() {
    have_given(stream().write(now(), rest()));
    if (rest().empty() && !closed()) {
      stream().drain(now());
      has_closed();
    }
  }
};

std::vector<std::int16_t> tone(unsigned rate, double hertz, double length) {
  std::vector<std::int16_t> samples;
  for (std::size_t i = 0; i < static_cast<std::size_t>(rate * length); ++i) {
    const double t = static_cast<double>(i) / rate;
    const double sweep = hertz * t + 150 * t * t;
    samples.push_back(static_cast<std::int16_t>(std::lround(12000 * std::sin(2 * std::numbers::pi * sweep))));
  }
  return samples;
}

TEST(Engine, SdlDmaIsHeardSampleBySample) {
  Stage stage;
  const auto source = stage.add();
  const auto sound = noise(40'000, 1);
  SdlDmaClient client(*source, stage.clock, sound, 11, kMono8000);
  stage.run_for(seconds(6), [&] { client.poll(); });
  client.close();
  stage.run_for(milliseconds(100));
  EXPECT_EQ(trimmed(stage.heard->samples), sound);
  EXPECT_EQ(stage.heard->format, (SinkFormat{8000, 1}));
  EXPECT_EQ(source->stream.counts().slips, 0U);
}

TEST(Engine, SdlDmaLosesNothingThoughTheServerIsLate) {
  Stage stage;
  const auto source = stage.add();
  const auto sound = noise(40'000, 2);
  SdlDmaClient client(*source, stage.clock, sound, 11, kMono8000);
  for (int i = 0; i < 20; ++i) {
    stage.run_for(milliseconds(200), [&] { client.poll(); });
    stage.stall_for(milliseconds(150 + 50 * i));
    client.poll();
  }
  stage.run_for(seconds(3), [&] { client.poll(); });
  client.close();
  stage.run_for(milliseconds(100));
  EXPECT_EQ(trimmed(stage.heard->samples), sound);
  EXPECT_GT(source->stream.counts().slips, 5U);
}

TEST(Engine, WrittenSoundIsHeardSampleBySampleInEachFormat) {
  for (const unsigned channels : {1U, 2U}) {
    for (const unsigned rate : {8000U, 44100U, 96000U}) {
      Stage stage;
      const auto source = stage.add();
      const auto sound = noise(rate * channels, channels);
      Writer writer(*source, stage.clock, bytes_of(sound), {Encoding::s16_le, rate, channels});
      stage.run_for(milliseconds(1500), [&] { writer.poll(); });
      EXPECT_EQ(stage.heard->samples, sound);
      EXPECT_EQ(stage.heard->format, (SinkFormat{rate, channels}));
      EXPECT_EQ(source->stream.counts().xruns, 0U);
    }
  }
}

TEST(Engine, WrittenSoundIsHeardInEveryEncodingWithEveryNumberOfChannels) {
  for (std::size_t encoding = 0; encoding < kEncodings; ++encoding) {
    for (unsigned channels = 1; channels <= kMostChannels; ++channels) {
      const AudioFormat format{static_cast<Encoding>(encoding), encoding % 2 == 0 ? 4000U : 192'000U, channels};
      Stage stage;
      const auto source = stage.add();
      std::vector<std::byte> sound = bytes_of(noise(std::size_t{format.rate} / 8 * frame_bytes(format), channels));
      sound.resize(sound.size() / frame_bytes(format) * frame_bytes(format));
      std::vector<float> samples;
      append_samples(format.encoding, sound, samples);
      std::vector<std::int16_t> expected(samples.size());
      std::transform(samples.begin(), samples.end(), expected.begin(), to_s16);
      Writer writer(*source, stage.clock, sound, format);
      stage.run_for(milliseconds(1000), [&] { writer.poll(); });
      ASSERT_EQ(stage.heard->samples, expected) << describe(format);
      EXPECT_EQ(stage.heard->format, (SinkFormat{format.rate, channels, sink_bits(format.encoding)}));
      EXPECT_EQ(source->stream.counts().xruns, 0U) << describe(format);
    }
  }
}

TEST(Engine, SixChannelsAreHeardThroughMmap) {
  Stage stage;
  const auto source = stage.add();
  const auto sound = noise(60'000, 9);
  SdlDmaClient client(*source, stage.clock, sound, 11, {Encoding::s16_be, 8000, 6});
  stage.run_for(seconds(3), [&] { client.poll(); });
  client.close();
  stage.run_for(milliseconds(100));
  std::vector<float> samples;
  append_samples(Encoding::s16_be, bytes_of(sound), samples);
  std::vector<std::int16_t> expected(samples.size());
  std::transform(samples.begin(), samples.end(), expected.begin(), to_s16);
  EXPECT_EQ(trimmed(stage.heard->samples), trimmed(expected));
}

TEST(Engine, BytesOfU8AreHeardTimes256) {
  Stage stage;
  const auto source = stage.add();
  std::vector<std::byte> sound;
  std::vector<std::int16_t> expected;
  for (int i = 0; i < 8000; ++i) {
    sound.push_back(static_cast<std::byte>(i * 7 % 256));
    expected.push_back(static_cast<std::int16_t>((i * 7 % 256 - 128) * 256));
  }
  Writer writer(*source, stage.clock, sound, {Encoding::u8, 8000, 1});
  stage.run_for(seconds(2), [&] { writer.poll(); });
  EXPECT_EQ(stage.heard->samples, expected);
}

TEST(Engine, MonoIsTheSameOnBothSides) {
  Stage stage({.rate = 8000, .channels = 2});
  const auto source = stage.add();
  const auto sound = noise(8000, 3);
  Writer writer(*source, stage.clock, bytes_of(sound), kMono8000);
  stage.run_for(seconds(2), [&] { writer.poll(); });
  ASSERT_EQ(stage.heard->samples.size(), 16'000U);
  for (std::size_t i = 0; i < sound.size(); ++i) {
    ASSERT_EQ(stage.heard->samples[2 * i], sound[i]);
    ASSERT_EQ(stage.heard->samples[2 * i + 1], sound[i]);
  }
}

TEST(Engine, AStreamThatBeginsLaterIsMixedInWhereItBegan) {
  Stage stage;
  const auto first = stage.add();
  const auto second = stage.add();
  const auto low = noise(24'000, 4);
  const auto high = noise(8'000, 5);
  Writer one(*first, stage.clock, bytes_of(low), kMono8000);
  stage.run_for(milliseconds(1013), [&] { one.poll(); });
  Writer other(*second, stage.clock, bytes_of(high), kMono8000);
  stage.run_for(seconds(4), [&] {
    one.poll();
    other.poll();
  });
  ASSERT_EQ(stage.heard->samples.size(), low.size());
  const std::size_t at = 8 * 1013;
  for (std::size_t i = 0; i < low.size(); ++i) {
    const int added = i >= at && i < at + high.size() ? high[i - at] : 0;
    ASSERT_EQ(stage.heard->samples[i], std::min(std::max(low[i] + added, -32768), 32767)) << i;
  }
}

TEST(Engine, WhatFollowsAfterSilenceIsHeardRightAfter) {
  Stage stage;
  const auto sound = noise(4000, 6);
  for (int i = 0; i < 3; ++i) {
    const auto source = stage.add();
    Writer writer(*source, stage.clock, bytes_of(sound), kMono8000);
    stage.run_for(seconds(60), [&] { writer.poll(); });
  }
  EXPECT_EQ(stage.heard->samples.size(), 3 * sound.size());
}

TEST(Engine, AnUnderrunIsSilenceForAsLong) {
  Stage stage;
  const auto source = stage.add();
  source->stream.set_format(stage.clock.now(), kMono8000);
  const auto sound = noise(2048, 7);
  source->stream.write(stage.clock.now(), bytes_of(sound));
  stage.run_for(milliseconds(256 + 100));
  source->stream.write(stage.clock.now(), bytes_of(sound));
  stage.run_for(seconds(1));
  ASSERT_EQ(stage.heard->samples.size(), 2 * sound.size() + 800);
  EXPECT_EQ(stage.heard->samples[2047], sound[2047]);
  EXPECT_EQ(stage.heard->samples[2048 + 400], 0);
  EXPECT_EQ(stage.heard->samples[2048 + 800], sound[0]);
  EXPECT_EQ(source->stream.counts().xruns, 1U);
}

// The sink has another rate: all of it is there, and it correlates.
TEST(Engine, OtherRatesAreResampledToTheEnd) {
  for (const unsigned rate : {8000U, 11025U, 44100U, 96000U}) {
    Stage stage({.rate = 48000, .channels = 1});
    const auto source = stage.add();
    const auto sound = tone(rate, 500, 2);
    Writer writer(*source, stage.clock, bytes_of(sound), {Encoding::s16_le, rate, 1});
    stage.run_for(seconds(4), [&] { writer.poll(); });
    EXPECT_NEAR(static_cast<double>(stage.heard->samples.size()), 96'000, 2) << rate;
    const dmmap::testing::Audio original{rate, 1, sound};
    const dmmap::testing::Audio heard{48000, 1, stage.heard->samples};
    const auto match = dmmap::testing::compare(original, heard);
    EXPECT_GT(match.correlation, 0.9999) << rate;
    EXPECT_GT(match.worst_block, 0.999) << rate;
    EXPECT_LE(match.offset, 1U) << rate;
  }
}

TEST(Engine, AResampledStreamDoesNotShiftTheOthers) {
  Stage stage({.rate = 48000, .channels = 1});
  const auto resampled = stage.add();
  const auto exact = stage.add();
  const auto quiet = std::vector<std::int16_t>(44100, 0);
  const auto sound = noise(24'000, 8);
  Writer first(*resampled, stage.clock, bytes_of(quiet), {Encoding::s16_le, 44100, 1});
  stage.run_for(milliseconds(250), [&] { first.poll(); });
  Writer second(*exact, stage.clock, bytes_of(sound), {Encoding::s16_le, 48000, 1});
  stage.run_for(seconds(2), [&] {
    first.poll();
    second.poll();
  });
  ASSERT_GE(stage.heard->samples.size(), 12'000 + sound.size());
  const auto begin = stage.heard->samples.begin() + 12'000;
  EXPECT_TRUE(std::equal(sound.begin(), sound.end(), begin) || std::equal(sound.begin(), sound.end(), begin - 1) ||
              std::equal(sound.begin(), sound.end(), begin + 1));
}

TEST(Engine, APausedStreamLeavesTheOtherAlone) {
  Stage stage;
  const auto paused = stage.add();
  const auto playing = stage.add();
  paused->stream.set_format(stage.clock.now(), kMono8000);
  paused->stream.write(stage.clock.now(), std::vector<std::byte>(1024));
  const auto sound = noise(16'000, 9);
  Writer writer(*playing, stage.clock, bytes_of(sound), kMono8000);
  stage.run_for(seconds(3), [&] { writer.poll(); });
  EXPECT_EQ(trimmed(stage.heard->samples), sound);
}

TEST(Engine, SixtyFourStreamsAreAllInTheMix) {
  Stage stage;
  constexpr std::size_t kStreams = 64;
  std::vector<std::shared_ptr<TestSource>> sources;
  std::vector<std::unique_ptr<Writer>> writers;
  std::vector<int> sum(8000);
  for (std::size_t i = 0; i < kStreams; ++i) {
    auto sound = noise(8000, static_cast<unsigned>(100 + i));
    for (std::size_t s = 0; s < sound.size(); ++s) {
      sound[s] = static_cast<std::int16_t>(sound[s] / 64);
      sum[s] += sound[s];
    }
    sources.push_back(stage.add());  // the engine lets go of one that has finished
    writers.push_back(std::make_unique<Writer>(*sources.back(), stage.clock, bytes_of(sound), kMono8000));
  }
  stage.run_for(seconds(2), [&] {
    for (const auto& writer : writers) {
      writer->poll();
    }
  });
  ASSERT_EQ(stage.heard->samples.size(), sum.size());
  for (std::size_t i = 0; i < sum.size(); ++i) {
    ASSERT_EQ(stage.heard->samples[i], sum[i]);
  }
}

TEST(Engine, OneStreamsSlipDoesNotHoldTheOthersBack) {
  // The short fragments slip, the long ones don't: then the first stream has a gap, and the second goes on.
  Stage stage;
  const auto small = stage.add();
  const auto large = stage.add();
  for (const auto& source : {small, large}) {
    source->stream.set_format(stage.clock.now(), kMono8000);
  }
  ASSERT_TRUE(small->stream.set_fragments(0x00020009));  // 32 ms
  ASSERT_TRUE(large->stream.set_fragments(0x0004000d));  // 512 ms
  small->stream.trigger(stage.clock.now(), true);
  large->stream.trigger(stage.clock.now(), true);
  stage.run_for(seconds(1));
  stage.stall_for(milliseconds(200));
  stage.run_for(seconds(1));
  EXPECT_EQ(small->stream.counts().slips, 1U);
  EXPECT_EQ(large->stream.counts().slips, 0U);
  EXPECT_NEAR(static_cast<double>(stage.heard->samples.size()), 8.0 * 2200 - 40, 2) << "5 ms are looked ahead";
}

TEST(Engine, TenHoursDoNotDrift) {
  Stage stage;
  const auto source = stage.add();
  source->stream.set_format(stage.clock.now(), {Encoding::u8, 11025, 1});
  ASSERT_TRUE(source->stream.set_fragments(0x0004000c));
  source->stream.trigger(stage.clock.now(), true);
  for (int minute = 0; minute < 600; ++minute) {
    stage.run_for(std::chrono::minutes(1));
    stage.heard->samples.clear();
  }
  EXPECT_EQ(source->stream.position(stage.clock.now()).bytes, 11025ULL * 36'000);
  EXPECT_EQ(source->stream.counts().slips, 0U);
}

// The thread, with the machine's clock: a source that counts how often it's asked.
class CountingSource final : public EngineStream {
 public:
  void advance() override { advanced.fetch_add(1); }
  [[nodiscard]] std::optional<Time> deadline() const override {
    return advanced.load() < 3 ? std::optional(std::chrono::steady_clock::now()) : std::nullopt;
  }
  [[nodiscard]] std::vector<Chunk> take() override { return {}; }
  [[nodiscard]] bool finished() const override { return false; }
  void end() override { ended.fetch_add(1); }
  std::atomic<int> advanced{0};
  std::atomic<int> ended{0};
};

TEST(Engine, TheThreadDoesWhatIsDueAndEnds) {
  const MachineClock clock;
  const Levels levels;
  Engine engine(clock, std::make_unique<Mixer>(std::make_unique<NullSink>(), MixFormat{}, levels,
                                               [](LogLevel /*level*/, const std::string& /*text*/) {}));
  engine.start();
  const auto source = std::make_shared<CountingSource>();
  engine.add(source);
  engine.kick();
  const auto end = std::chrono::steady_clock::now() + seconds(20);
  while (source->advanced.load() < 3 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_GE(source->advanced.load(), 3);
  engine.sync();
  engine.stop();
  EXPECT_EQ(source->ended.load(), 1);
}

}  // namespace
}  // namespace dmmap::sound::testing
