#include "servers/sound/stream/playback_stream.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "sound/support.h"

namespace dmmap::sound::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// 8000 frames a second, 2 bytes each; 4 fragments of 1024 bytes, so 64 ms each.
class PlaybackStreamTest : public ::testing::Test {
 protected:
  PlaybackStreamTest() {
    stream.set_format(now, kMono8000);
    EXPECT_TRUE(stream.set_fragments(0x0004000a));
  }
  std::vector<std::byte> play_for(Nanoseconds time) {
    const Time end = now + time;
    std::vector<std::byte> all;
    while (now < end) {
      now = std::min(end, stream.deadline().value_or(end));
      stream.advance(now);
      const auto part = joined(stream.take());
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

  Time now{seconds(1000)};
  std::shared_ptr<MemoryRegion> region = std::make_shared<MemoryRegion>(1 << 20);
  RingedStream stream{region, true};
};

TEST_F(PlaybackStreamTest, WrittenBytesArePlayedInOrderAndInTime) {
  const auto sound = bytes_of(noise(2048, 1));
  EXPECT_EQ(stream.write(now, sound), 4096U);
  EXPECT_EQ(stream.path(), Path::written);
  EXPECT_EQ(stream.unplayed(now), 4096U);
  EXPECT_EQ(stream.space(now), 0U);
  const auto first = play_for(milliseconds(100));
  EXPECT_EQ(first, std::vector(sound.begin(), sound.begin() + 1600));
  EXPECT_EQ(stream.space(now), 1600U);
  const auto rest = play_for(seconds(1));
  EXPECT_EQ(rest, std::vector(sound.begin() + 1600, sound.end()));
  EXPECT_FALSE(stream.running());
}

TEST_F(PlaybackStreamTest, NothingIsPlayedBeforeAFragmentIsFull) {
  const std::vector<std::byte> part(1023);
  EXPECT_EQ(stream.write(now, part), 1023U);
  EXPECT_FALSE(stream.running());
  EXPECT_EQ(stream.write(now, std::vector<std::byte>(1)), 1U);
  EXPECT_TRUE(stream.running());
}

TEST_F(PlaybackStreamTest, PostPlaysWhatIsThere) {
  stream.write(now, std::vector<std::byte>(10));
  stream.post(now);
  EXPECT_TRUE(stream.running());
  EXPECT_EQ(play_for(seconds(1)).size(), 10U);
}

TEST_F(PlaybackStreamTest, DrainPlaysToTheEndAndIsNoUnderrun) {
  EXPECT_FALSE(stream.drain(now)) << "there's nothing to wait for";
  const auto sound = bytes_of(noise(100, 2));
  stream.write(now, sound);
  EXPECT_TRUE(stream.drain(now));
  EXPECT_EQ(*stream.deadline(), now + Nanoseconds(12'500'000));
  EXPECT_EQ(play_for(milliseconds(12)).size(), 192U);
  EXPECT_TRUE(stream.draining());
  EXPECT_EQ(play_for(milliseconds(1)).size(), 8U);
  EXPECT_FALSE(stream.draining());
  stream.write(now, std::vector<std::byte>(1024));
  EXPECT_EQ(stream.counts().xruns, 0U);
}

TEST_F(PlaybackStreamTest, AByteThatIsNoFrameDoesNotKeepADrainWaiting) {
  stream.write(now, std::vector<std::byte>(5));
  EXPECT_TRUE(stream.drain(now));
  EXPECT_EQ(play_for(seconds(1)).size(), 4U);
  EXPECT_FALSE(stream.draining());
  EXPECT_EQ(stream.unplayed(now), 0U);
}

TEST_F(PlaybackStreamTest, UnderrunsAreCountedOnceForEachGap) {
  for (int gap = 0; gap < 3; ++gap) {
    stream.write(now, std::vector<std::byte>(1024));
    EXPECT_EQ(play_for(milliseconds(200)).size(), 1024U);
  }
  EXPECT_EQ(stream.counts().xruns, 2U) << "the last gap hasn't ended";
  stream.write(now, std::vector<std::byte>(1024));
  const auto chunks = stream.take();
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_TRUE(chunks[0].begins);
  EXPECT_EQ(chunks[0].silent, milliseconds(200) - milliseconds(64));
}

TEST_F(PlaybackStreamTest, HeldOutputFillsAndDoesNotPlay) {
  stream.trigger(now, false);
  EXPECT_EQ(stream.write(now, std::vector<std::byte>(10'000)), 4096U);
  EXPECT_EQ(play_for(seconds(1)).size(), 0U);
  EXPECT_FALSE(stream.writable(now));
  stream.trigger(now, true);
  EXPECT_EQ(stream.path(), Path::written) << "a trigger after a write isn't mmap";
  EXPECT_EQ(play_for(milliseconds(64)).size(), 1024U);
  EXPECT_TRUE(stream.writable(now));
  stream.trigger(now, false);
  EXPECT_EQ(play_for(seconds(1)).size(), 0U);
  stream.trigger(now, true);
  EXPECT_EQ(play_for(seconds(1)).size(), 3072U) << "nothing is lost by holding";
  EXPECT_EQ(stream.counts().xruns, 0U);
}

TEST_F(PlaybackStreamTest, ResetForgetsWhatWasNotPlayed) {
  stream.write(now, std::vector<std::byte>(4096, std::byte{1}));
  EXPECT_EQ(play_for(milliseconds(10)).size(), 160U);
  stream.reset(now);
  EXPECT_FALSE(stream.running());
  EXPECT_EQ(stream.space(now), 4096U);
  EXPECT_EQ(stream.position(now).bytes, 0U);
  const auto sound = bytes_of(noise(512, 3));
  stream.write(now, sound);
  EXPECT_EQ(play_for(seconds(1)), sound);
}

TEST_F(PlaybackStreamTest, ATriggeredRingIsPlayedRoundAndRound) {
  const auto ring = bytes_of(noise(2048, 4));
  ASSERT_TRUE(region->write(0, ring));
  stream.trigger(now, false);
  stream.trigger(now, true);
  EXPECT_EQ(stream.path(), Path::mapped);
  const auto heard = play_for(seconds(1));
  ASSERT_EQ(heard.size(), 16'000U);
  for (std::size_t i = 0; i < heard.size(); ++i) {
    ASSERT_EQ(heard[i], ring[i % ring.size()]) << i;
  }
  const Position position = stream.position(now);
  EXPECT_EQ(position.bytes, 16'000U);
  EXPECT_EQ(position.blocks, 15U);
  EXPECT_EQ(position.ring, 16'000U % 4096);
  EXPECT_EQ(stream.position(now).blocks, 0U);
  EXPECT_EQ(stream.counts().slips, 0U);
}

TEST_F(PlaybackStreamTest, PollSaysSoForEachFragmentOfTheRing) {
  EXPECT_TRUE(stream.writable(now)) << "nothing has been decided yet, so write() would do";
  stream.trigger(now, true);
  EXPECT_FALSE(stream.writable(now));
  now = *stream.deadline();
  EXPECT_EQ(now, Time(seconds(1000)) + milliseconds(64));
  EXPECT_TRUE(stream.writable(now));
  EXPECT_TRUE(stream.writable(now)) << "until it's asked for the position";
  EXPECT_EQ(stream.position(now).ring, 1024U) << "never before the fragment's end";
  EXPECT_FALSE(stream.writable(now));
}

TEST_F(PlaybackStreamTest, TheFirstWriteEndsTheMappedPath) {
  stream.trigger(now, true);
  EXPECT_EQ(play_for(milliseconds(100)), std::vector<std::byte>(1600)) << "silence, as nobody has stored anything";
  const auto sound = bytes_of(noise(1024, 5));
  stream.write(now, sound);
  EXPECT_EQ(stream.path(), Path::written);
  EXPECT_EQ(play_for(seconds(1)), sound);
}

TEST_F(PlaybackStreamTest, ATriggerOfWhatCanNotBeMappedWaitsForWrites) {
  RingedStream writer(region, false);
  writer.trigger(now, true);
  EXPECT_EQ(writer.path(), Path::undecided);
  EXPECT_FALSE(writer.running());
  EXPECT_TRUE(writer.writable(now));
}

TEST_F(PlaybackStreamTest, ThePositionNeverRunsAheadOfWhatWasCopied) {
  const auto ring = bytes_of(noise(2048, 6));
  ASSERT_TRUE(region->write(0, ring));
  stream.trigger(now, true);
  std::vector<std::byte> heard;
  for (int i = 0; i < 5000; ++i) {
    now += Nanoseconds(777'777);
    const Position position = stream.position(now);
    const auto part = joined(stream.take());
    heard.insert(heard.end(), part.begin(), part.end());
    ASSERT_EQ(position.bytes, heard.size());
  }
  EXPECT_EQ(stream.counts().slips, 0U);
}

TEST_F(PlaybackStreamTest, ALateServerSlipsAndGoesOnWithTheNextFragment) {
  stream.trigger(now, true);
  play_for(milliseconds(64));
  EXPECT_EQ(stream.position(now).blocks, 1U);
  now += milliseconds(500);
  stream.advance(now);
  EXPECT_EQ(stream.counts().slips, 1U);
  EXPECT_EQ(stream.position(now).bytes, 2048U) << "one fragment, not eight";
  EXPECT_EQ(*stream.deadline(), now + milliseconds(64)) << "the client has a whole fragment's time";
  const auto chunks = stream.take();
  ASSERT_FALSE(chunks.empty());
  EXPECT_EQ(chunks.back().slipped, milliseconds(500 - 64));
}

TEST_F(PlaybackStreamTest, ALittleLateIsMadeUpFor) {
  stream.trigger(now, true);
  play_for(milliseconds(64));
  now += milliseconds(64 + 30);
  EXPECT_EQ(stream.position(now).bytes, 1024U + 1024U + 480U);
  EXPECT_EQ(stream.counts().slips, 0U);
  EXPECT_EQ(*stream.deadline(), Time(seconds(1000)) + milliseconds(3 * 64));
}

TEST_F(PlaybackStreamTest, AWriterIsNotUnderrunByALateServer) {
  stream.write(now, std::vector<std::byte>(4096));
  now += seconds(2);
  stream.advance(now);
  EXPECT_TRUE(stream.running());
  EXPECT_EQ(stream.space(now), 1024U);
  EXPECT_EQ(stream.counts().slips, 1U);
}

TEST_F(PlaybackStreamTest, TheFormatDoesNotChangeWhileItPlays) {
  stream.write(now, std::vector<std::byte>(1024));
  stream.set_format(now, {Encoding::u8, 44100, 2});
  EXPECT_EQ(stream.format(), kMono8000);
  play_for(seconds(1));
  stream.set_format(now, {Encoding::u8, 44100, 2});
  EXPECT_EQ(stream.format(), (AudioFormat{Encoding::u8, 44100, 2}));
  EXPECT_EQ(stream.set_fragments(0x0002000a).error().code, EINVAL);
}

TEST_F(PlaybackStreamTest, AnUntouchedRingOfU8IsSilence) {
  RingedStream bytes(region, true);
  bytes.prepare_ring();
  EXPECT_EQ(region->bytes()[0], std::byte{0x80});
  EXPECT_EQ(region->bytes()[bytes.fragments().ring_bytes() - 1], std::byte{0x80});
  EXPECT_EQ(region->bytes()[bytes.fragments().ring_bytes()], std::byte{0});
}

TEST_F(PlaybackStreamTest, WhatAClientStoredIsLeftAlone) {
  region->bytes()[3] = std::byte{7};
  RingedStream bytes(region, true);
  bytes.prepare_ring();
  EXPECT_EQ(region->bytes()[0], std::byte{0});
  EXPECT_EQ(region->bytes()[3], std::byte{7});
}

TEST_F(PlaybackStreamTest, TheRingRestartsFromItsBeginning) {
  stream.trigger(now, true);
  play_for(milliseconds(100));
  stream.trigger(now, false);
  EXPECT_FALSE(stream.running());
  stream.trigger(now, true);
  EXPECT_EQ(stream.position(now).ring, 0U);
  EXPECT_EQ(stream.position(now + milliseconds(1)).ring, 16U);
}

}  // namespace
}  // namespace dmmap::sound::testing
