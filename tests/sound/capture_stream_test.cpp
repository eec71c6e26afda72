// Recording, with simulated time: what the source brings gets to the client by read and by mmap.
#include "servers/sound/stream/capture_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "sound/support.h"
#include "support/audio_compare.h"

namespace dmmap::sound::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A source whose sample number n is n + 1, of S16's steps.
class CountingSource final : public Source {
 public:
  explicit CountingSource(SourceFormat format) : format_(format) {}
  Result<std::unique_ptr<Recording>> begin(const SourceFormat& /*wanted*/) override {
    if (refuses) {
      return fail(ENXIO, "no");
    }
    return std::make_unique<Counting>(format_, skips);
  }
  bool refuses = false;
  int skips = 0;

 private:
  class Counting final : public Recording {
   public:
    Counting(SourceFormat format, int& skips) : format_(format), skips_(skips) {}
    [[nodiscard]] SourceFormat format() const override { return format_; }
    void read(std::span<float> samples) override {
      for (float& sample : samples) {
        sample = static_cast<float>(++last_ % 30'000) / 32768.0F;
      }
    }
    void skip() override { ++skips_; }

   private:
    SourceFormat format_;
    int& skips_;
    int last_ = 0;
  };
  SourceFormat format_;
};

class CaptureStreamTest : public ::testing::Test {
 protected:
  CaptureStreamTest() {
    stream.set_format(now, kMono8000);
    EXPECT_TRUE(stream.set_fragments(0x0004000a));  // 4 of 1024 bytes, 64 ms each
  }
  // As a device does between locks; the region is `mapped`.
  void turn() {
    if (const auto store = stream.begin_store(now, true)) {
      ASSERT_TRUE(write_ring(*region, store->part, store->bytes));
      stream.stored(store->part);
    }
    stream.advance(now);
  }
  void pass(Nanoseconds time) {
    const Time end = now + time;
    while (now < end) {
      const auto due = stream.deadline();
      now = due ? std::min(*due, end) : end;
      turn();
    }
  }
  std::vector<std::int16_t> read(std::size_t bytes) {
    std::vector<std::byte> to(bytes);
    to.resize(stream.read(now, to));
    return samples_of(to);
  }
  static std::vector<std::int16_t> counted(int from, std::size_t count) {
    std::vector<std::int16_t> samples;
    for (std::size_t i = 0; i < count; ++i) {
      samples.push_back(static_cast<std::int16_t>((from + static_cast<int>(i)) % 30'000));
    }
    return samples;
  }

  Time now{seconds(100)};
  CountingSource source{{8000, 1}};
  Levels levels;
  CaptureStream stream{1 << 20, source, levels};
  std::shared_ptr<MemoryRegion> region = std::make_shared<MemoryRegion>(1 << 20);
};

TEST_F(CaptureStreamTest, NothingIsRecordedBeforeItStarts) {
  pass(seconds(1));
  EXPECT_EQ(stream.available(now), 0U);
  EXPECT_EQ(stream.deadline(), std::nullopt);
  EXPECT_FALSE(stream.readable(now));
}

TEST_F(CaptureStreamTest, AReaderGetsEverySampleInOrder) {
  ASSERT_TRUE(stream.start(now));
  std::vector<std::int16_t> got;
  for (int i = 0; i < 500; ++i) {
    pass(milliseconds(13));
    const auto part = read(1000);
    got.insert(got.end(), part.begin(), part.end());
  }
  EXPECT_EQ(got.size(), 500 * 13 * 8U);
  EXPECT_EQ(got, counted(1, got.size()));
  EXPECT_EQ(stream.counts().xruns, 0U);
  EXPECT_EQ(stream.counts().frames, got.size());
}

TEST_F(CaptureStreamTest, BytesCanBeReadOneByOne) {
  ASSERT_TRUE(stream.start(now));
  pass(milliseconds(10));
  std::vector<std::byte> got;
  for (int i = 0; i < 160; ++i) {
    std::byte one{};
    ASSERT_EQ(stream.read(now, std::span(&one, 1)), 1U);
    got.push_back(one);
  }
  EXPECT_EQ(samples_of(got), counted(1, 80));
}

TEST_F(CaptureStreamTest, WhoDoesNotReadHasAnOverrunAndGoesOnFromThere) {
  ASSERT_TRUE(stream.start(now));
  pass(seconds(3));
  EXPECT_EQ(stream.counts().xruns, 1U);
  EXPECT_EQ(stream.deadline(), std::nullopt) << "it stands still";
  EXPECT_TRUE(stream.readable(now));
  EXPECT_EQ(stream.available(now), 4096U);
  EXPECT_EQ(read(4096), counted(1, 2048)) << "what was recorded in time isn't lost";
  EXPECT_EQ(source.skips, 1) << "the source is told that time has passed";
  pass(milliseconds(100));
  EXPECT_EQ(read(4096), counted(2049, 800));
}

TEST_F(CaptureStreamTest, AMappedRingShowsWhatThePositionSays) {
  ASSERT_TRUE(stream.trigger(now, false));
  ASSERT_TRUE(stream.trigger(now, true));
  std::vector<std::int16_t> got;
  std::uint64_t seen = 0;
  for (int i = 0; i < 300; ++i) {
    pass(milliseconds(30));
    const Position position = stream.position(now);
    EXPECT_EQ(position.ring, position.bytes % 4096);
    for (; seen < position.bytes; seen += 2) {
      std::int16_t sample = 0;
      std::memcpy(&sample, region->bytes().data() + seen % 4096, sizeof sample);
      got.push_back(sample);
    }
  }
  EXPECT_EQ(stream.path(), CapturePath::mapped);
  EXPECT_EQ(got.size(), 300 * 30 * 8U);
  EXPECT_EQ(got, counted(1, got.size()));
  EXPECT_EQ(stream.counts().xruns, 0U);
  EXPECT_EQ(stream.counts().slips, 0U);
}

TEST_F(CaptureStreamTest, PollTellsOfEachFragmentOfAMappedRing) {
  ASSERT_TRUE(stream.trigger(now, true));
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(stream.readable(now));
    pass(milliseconds(64));
    EXPECT_TRUE(stream.readable(now));
    EXPECT_EQ(stream.position(now).blocks, 1U);
  }
}

TEST_F(CaptureStreamTest, WhoTriggersAndThenReadsGetsItFromTheBeginning) {
  ASSERT_TRUE(stream.trigger(now, true));
  pass(milliseconds(100));
  EXPECT_EQ(read(4096), counted(1, 800));
  EXPECT_EQ(stream.path(), CapturePath::read);
  pass(milliseconds(100));
  EXPECT_EQ(read(4096), counted(801, 800));
}

TEST_F(CaptureStreamTest, TheRegionIsLeftAloneWhenItIsNotOurs) {
  ASSERT_TRUE(stream.trigger(now, true));
  for (int i = 0; i < 20; ++i) {
    now += milliseconds(20);
    EXPECT_FALSE(stream.begin_store(now, false));
    stream.advance(now);
  }
  EXPECT_EQ(stream.position(now).bytes, 6400U);
}

// Another thread is in the midst of storing: the position waits for it.
TEST_F(CaptureStreamTest, ThePositionDoesNotRunAheadOfAStoreUnderWay) {
  ASSERT_TRUE(stream.trigger(now, true));
  now += milliseconds(20);
  const auto store = stream.begin_store(now, true);
  ASSERT_TRUE(store);
  now += milliseconds(20);
  EXPECT_FALSE(stream.begin_store(now, true));
  EXPECT_EQ(stream.position(now).bytes, 0U);
  stream.stored(store->part);
  EXPECT_EQ(stream.position(now).bytes, 320U);
  turn();
  EXPECT_EQ(stream.position(now).bytes, 640U);
}

TEST_F(CaptureStreamTest, WhenTheServerIsLateNothingIsLost) {
  ASSERT_TRUE(stream.start(now));
  std::vector<std::int16_t> got;
  for (int i = 0; i < 50; ++i) {
    now += milliseconds(400);  // without a turn: the server got no processor
    turn();
    const auto part = read(8192);
    got.insert(got.end(), part.begin(), part.end());
  }
  EXPECT_EQ(stream.counts().xruns, 0U);
  EXPECT_GT(stream.counts().slips, 0U);
  EXPECT_EQ(got, counted(1, got.size()));
}

TEST_F(CaptureStreamTest, FormatsAreWhatTheSourceIsBroughtTo) {
  stream.reset(now);
  stream.set_format(now, {Encoding::s16_be, 8000, 2});
  ASSERT_TRUE(stream.start(now));
  pass(milliseconds(10));
  std::vector<std::byte> bytes(8);
  ASSERT_EQ(stream.read(now, bytes), 8U);
  const std::vector<std::byte> both{std::byte{0}, std::byte{1}, std::byte{0}, std::byte{1},
                                    std::byte{0}, std::byte{2}, std::byte{0}, std::byte{2}};
  EXPECT_EQ(bytes, both) << "mono is on both";
}

TEST_F(CaptureStreamTest, AnotherRateHasAsMuchTime) {
  stream.reset(now);
  stream.set_format(now, {Encoding::s16_le, 11025, 1});
  ASSERT_TRUE(stream.start(now));
  std::size_t frames = 0;
  for (int i = 0; i < 100; ++i) {
    pass(milliseconds(20));
    frames += read(8192).size();
  }
  EXPECT_EQ(frames, 22050U);
}

TEST_F(CaptureStreamTest, ASourceThatRefusesIsAnErrorAndCanBeTriedAgain) {
  source.refuses = true;
  EXPECT_EQ(stream.start(now).error().code, ENXIO);
  EXPECT_EQ(stream.trigger(now, true).error().code, ENXIO);
  source.refuses = false;
  EXPECT_TRUE(stream.start(now));
  pass(milliseconds(10));
  EXPECT_EQ(read(160), counted(1, 80));
}

TEST_F(CaptureStreamTest, LevelsAreHeardInIt) {
  levels.set(Control::recording, {50, 50});
  stream.set_gain({0.5F, 0.5F});
  ASSERT_TRUE(stream.start(now));
  pass(milliseconds(10));
  const auto got = read(160);
  ASSERT_EQ(got.size(), 80U);
  EXPECT_EQ(got[79], 5) << "80 / 8 / 2";
}

// Every encoding has what append_samples() made of it.
TEST(Encodings, AreEachOthersInverse) {
  for (std::size_t each = 0; each < kEncodings; ++each) {
    const auto encoding = static_cast<Encoding>(each);
    const std::size_t size = sample_bytes(encoding);
    std::vector<std::byte> bytes(size * 65'536);
    for (std::size_t i = 0; i < 65'536; ++i) {
      // The bytes of a number count up fast; a padding byte is the sign's, as it's encoded.
      const float value = static_cast<float>(static_cast<int>(i * 2) - 65'536) / 65'536.0F;
      encode_samples(encoding, std::span(&value, 1), std::span(bytes).subspan(i * size, size));
    }
    std::vector<float> samples;
    append_samples(encoding, bytes, samples);
    std::vector<std::byte> again(bytes.size());
    encode_samples(encoding, samples, again);
    EXPECT_EQ(again, bytes) << name_of(encoding);
    // The nearest there is: half a step, which for the logarithmic ones is a 32nd of the value.
    for (std::size_t i = 0; i < 65'536; ++i) {
      const float value = static_cast<float>(static_cast<int>(i * 2) - 65'536) / 65'536.0F;
      const bool logarithmic = encoding == Encoding::mu_law || encoding == Encoding::a_law;
      const float step = logarithmic ? std::max((std::abs(value) + 33.0F / 8192) / 16, 1.0F / 2048)
                         : size == 1 ? 1.0F / 64
                                     : 1.0F / 16384;
      ASSERT_NEAR(samples[i], value, step / 2 + (logarithmic ? 0.5F / 4096 : 1e-6F))
          << name_of(encoding) << " " << value;
    }
  }
}

}  // namespace
}  // namespace dmmap::sound::testing
