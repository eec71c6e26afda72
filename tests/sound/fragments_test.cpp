#include "servers/sound/stream/fragments.h"

#include <gtest/gtest.h>

#include <bit>
#include <cerrno>
#include <random>

#include "servers/sound/stream/stream_clock.h"

namespace dmmap::sound {
namespace {

constexpr std::uint64_t kRegion = 1 << 20;
constexpr AudioFormat kCd{Encoding::s16_le, 44100, 2};

TEST(Fragments, WhatIsAskedForIsGiven) {
  FragmentChoice choice(kRegion);
  ASSERT_TRUE(choice.set(0x0002000c));
  EXPECT_EQ(choice.fragments(kCd), (Fragments{4096, 2}));
}

TEST(Fragments, WhatIsImpossibleIsBroughtIntoBounds) {
  const struct {
    std::uint32_t value = 0;
    Fragments expected;
  } cases[] = {
      {0x00020000, {16, 2}},      {0x00000003, {16, 32}},    {0x0001000a, {1024, 2}},
      {0x7fff000c, {4096, 256}},  {0xffff0010, {65536, 16}}, {0x00020018, {65536, 2}},
      {0x80000000, {16, 0x8000}}, {0x00000000, {16, 32}},    {0x00040011, {65536, 4}},
  };
  for (const auto& each : cases) {
    FragmentChoice choice(kRegion);
    ASSERT_TRUE(choice.set(each.value)) << std::hex << each.value;
    EXPECT_EQ(choice.fragments(kCd), each.expected) << std::hex << each.value;
  }
}

TEST(Fragments, AbsurdSizesAreRefused) {
  for (const std::uint32_t value : {0x7fff001fU, 0x0002ffffU, 0x00020019U, 0xffffffffU}) {
    FragmentChoice choice(kRegion);
    const auto set = choice.set(value);
    ASSERT_FALSE(set) << std::hex << value;
    EXPECT_EQ(set.error().code, EINVAL);
    EXPECT_TRUE(choice.set(0x0002000a)) << "a refused one must not count";
  }
}

TEST(Fragments, CanBeChosenOnce) {
  FragmentChoice choice(kRegion);
  ASSERT_TRUE(choice.set(0x0004000a));
  EXPECT_EQ(choice.set(0x0002000c).error().code, EINVAL);
  EXPECT_EQ(choice.subdivide(2).error().code, EINVAL);
  EXPECT_EQ(choice.fragments(kCd), (Fragments{1024, 4}));
}

TEST(Fragments, SubdivideMakesThemSmallerByPowersOfTwo) {
  FragmentChoice choice(kRegion);
  const Fragments whole = choice.fragments(kCd);
  EXPECT_EQ(choice.subdivide(0).value(), 1U);
  for (const std::uint32_t bad : {3U, 32U, 0xffffffffU}) {
    EXPECT_EQ(choice.subdivide(bad).error().code, EINVAL);
  }
  EXPECT_EQ(choice.subdivide(4).value(), 4U);
  EXPECT_EQ(choice.subdivide(0).value(), 4U);
  EXPECT_EQ(choice.subdivide(2).error().code, EINVAL);
  EXPECT_EQ(choice.fragments(kCd).size, whole.size / 4);
  EXPECT_EQ(choice.fragments(kCd).ring_bytes(), whole.ring_bytes());
}

TEST(Fragments, EveryRequestGivesARingThatFits) {
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    FragmentChoice choice(kRegion);
    const auto value = static_cast<std::uint32_t>(random());
    static_cast<void>(choice.set(i % 2 == 0 ? value : value & 0xffff001f));
    const Fragments ring = choice.fragments(kCd);
    ASSERT_TRUE(std::has_single_bit(ring.size));
    ASSERT_GE(ring.size, 16U);
    ASSERT_GE(ring.count, 2U);
    ASSERT_LE(ring.ring_bytes(), kRegion);
  }
}

TEST(Fragments, TheUsualOnesFitEveryFormat) {
  for (const unsigned rate : {8000U, 11025U, 44100U, 48000U, 96000U}) {
    for (const Encoding encoding : {Encoding::u8, Encoding::s16_le}) {
      for (const unsigned channels : {1U, 2U}) {
        const AudioFormat format{encoding, rate, channels};
        const Fragments ring = FragmentChoice(kRegion).fragments(format);
        const double seconds = static_cast<double>(ring.size) / static_cast<double>(bytes_a_second(format));
        EXPECT_GT(seconds, 1.0 / 33) << describe(format);
        EXPECT_LE(seconds, 1.0 / 16) << describe(format);
      }
    }
  }
}

TEST(Fragments, AreWholeFramesOfEveryFormat) {
  std::mt19937 random(2);
  for (std::size_t encoding = 0; encoding < kEncodings; ++encoding) {
    for (unsigned channels = 1; channels <= kMostChannels; ++channels) {
      const AudioFormat format{static_cast<Encoding>(encoding), 48000, channels};
      for (int i = 0; i < 100; ++i) {
        FragmentChoice choice(kRegion);
        if (i > 0) {
          static_cast<void>(choice.set(static_cast<std::uint32_t>(random() & 0xffff001f)));
        }
        const Fragments ring = choice.fragments(format);
        ASSERT_EQ(ring.size % frame_bytes(format), 0U) << describe(format);
        ASSERT_GE(ring.count, 2U);
        ASSERT_LE(ring.ring_bytes(), kRegion);
        ASSERT_GE(ring.size, frame_bytes(format));
      }
    }
  }
}

TEST(StreamClock, IsExactForEver) {
  const Time begin{std::chrono::seconds(5)};
  for (const unsigned rate : {8000U, 11025U, 22050U, 44100U, 48000U, 96000U}) {
    StreamClock clock;
    clock.start(begin, 100, rate);
    std::mt19937_64 random(rate);
    for (int i = 0; i < 1000; ++i) {
      // Ten years.
      const std::uint64_t frame = 100 + 1 + random() % (std::uint64_t{rate} * 86400 * 3650);
      const Time time = clock.time_of(frame);
      ASSERT_EQ(clock.frame_at(time), frame);
      ASSERT_EQ(clock.frame_at(time - Nanoseconds(1)), frame - 1);
    }
    EXPECT_EQ(clock.frame_at(begin + std::chrono::hours(10)), 100 + std::uint64_t{rate} * 36000);
    EXPECT_EQ(clock.frame_at(begin - std::chrono::hours(1)), 100U);
  }
}

}  // namespace
}  // namespace dmmap::sound
