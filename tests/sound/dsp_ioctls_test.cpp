// What each ioctl of the dsp answers, for sane and for insane input.
#include "servers/sound/device/dsp_ioctls.h"

#include <gtest/gtest.h>
#include <linux/soundcard.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <optional>
#include <random>
#include <span>

#include "servers/sound/oss4.h"
#include "sound/support.h"

namespace dmmap::sound::testing {
namespace {

class DspIoctls : public ::testing::Test {
 protected:
  device::IoctlAnswer call(std::uint32_t command, std::optional<int> input = {}) {
    std::vector<std::byte> bytes;
    if (input) {
      bytes.resize(sizeof *input);
      std::memcpy(bytes.data(), &*input, sizeof *input);
    }
    stream.copy(now);
    return answer_ioctl({&stream, nullptr, levels}, {.mmap = mmap, .record = false, .mountpoint = {}}, card_levels, now,
                        command, bytes);
  }
  template <class T>
  T get(std::uint32_t command, std::optional<int> input = {}) {
    const device::IoctlAnswer answer = call(command, input);
    EXPECT_EQ(answer.error, 0) << ioctl_name(command);
    EXPECT_EQ(answer.output.size(), sizeof(T)) << ioctl_name(command);
    T value{};
    std::memcpy(&value, answer.output.data(), std::min(sizeof value, answer.output.size()));
    return value;
  }
  int number(std::uint32_t command, std::optional<int> input = {}) { return get<int>(command, input); }
  int error(std::uint32_t command, std::optional<int> input = {}) { return call(command, input).error; }

  Time now{std::chrono::seconds(100)};
  bool mmap = true;
  std::shared_ptr<MemoryRegion> region = std::make_shared<MemoryRegion>(1 << 20);
  RingedStream stream{region, true};
  StreamLevels levels;
  Levels card_levels;
};

TEST_F(DspIoctls, AFreshDeviceIs8kHzMonoU8) {
  EXPECT_EQ(number(SOUND_PCM_READ_RATE), 8000);
  EXPECT_EQ(number(SOUND_PCM_READ_CHANNELS), 1);
  EXPECT_EQ(number(SOUND_PCM_READ_BITS), 8);
  EXPECT_EQ(number(SNDCTL_DSP_SETFMT, AFMT_QUERY), AFMT_U8);
  // The last six are OSS 4's, which Linux's header doesn't have.
  EXPECT_EQ(number(SNDCTL_DSP_GETFMTS), AFMT_MU_LAW | AFMT_A_LAW | AFMT_U8 | AFMT_S8 | AFMT_S16_LE | AFMT_S16_BE |
                                            0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x40000);
  EXPECT_EQ(number(OSS_GETVERSION), kOss4Version);
  EXPECT_EQ(number(SNDCTL_DSP_GETTRIGGER), PCM_ENABLE_OUTPUT);
}

TEST_F(DspIoctls, RatesGoToTheNearestThereIs) {
  const std::pair<int, int> cases[] = {{44100, 44100},   {22050, 22050}, {3999, 4000},      {1, 4000},
                                       {192001, 192000}, {-1, 4000},     {INT_MAX, 192000}, {INT_MIN, 4000},
                                       {48000, 48000},   {0, 48000}};
  for (const auto& [asked, given] : cases) {
    EXPECT_EQ(number(SNDCTL_DSP_SPEED, asked), given) << asked;
    EXPECT_EQ(number(SOUND_PCM_READ_RATE), given) << asked;
  }
}

TEST_F(DspIoctls, ChannelsGoToTheNearestThereIs) {
  const std::pair<int, int> cases[] = {{1, 1}, {2, 2}, {0, 2}, {6, 6}, {8, 8}, {-3, 1}, {INT_MAX, 8}, {INT_MIN, 1}};
  for (const auto& [asked, given] : cases) {
    EXPECT_EQ(number(SNDCTL_DSP_CHANNELS, asked), given) << asked;
  }
  EXPECT_EQ(number(SNDCTL_DSP_STEREO, 1), 1);
  EXPECT_EQ(number(SOUND_PCM_READ_CHANNELS), 2);
  EXPECT_EQ(number(SNDCTL_DSP_STEREO, 0), 0);
  EXPECT_EQ(number(SNDCTL_DSP_STEREO, 77), 1);
}

TEST_F(DspIoctls, FormatsThatAreNotThereBecomeOneThatIs) {
  const std::pair<int, int> cases[] = {{AFMT_S16_LE, AFMT_S16_LE}, {AFMT_U8, AFMT_U8},
                                       {AFMT_S16_BE, AFMT_S16_BE}, {AFMT_MU_LAW, AFMT_MU_LAW},
                                       {0x40000, 0x40000},         {AFMT_AC3, AFMT_S16_LE},
                                       {AFMT_U16_LE, AFMT_S16_LE}, {AFMT_U8 | AFMT_S16_LE, AFMT_S16_LE},
                                       {-1, AFMT_S16_LE},          {INT_MIN, AFMT_S16_LE},
                                       {AFMT_QUERY, AFMT_S16_LE}};
  for (const auto& [asked, given] : cases) {
    EXPECT_EQ(number(SNDCTL_DSP_SETFMT, asked), given) << asked;
  }
}

TEST_F(DspIoctls, CapabilitiesAreTrue) {
  const int caps = number(SNDCTL_DSP_GETCAPS);
  EXPECT_EQ(caps, DSP_CAP_MMAP | DSP_CAP_TRIGGER | DSP_CAP_REALTIME | DSP_CAP_MULTI | PCM_CAP_OUTPUT | PCM_CAP_VIRTUAL);
  mmap = false;
  EXPECT_EQ(number(SNDCTL_DSP_GETCAPS) & DSP_CAP_MMAP, 0);
}

TEST_F(DspIoctls, SpaceAndPositionTellOfTheRing) {
  number(SNDCTL_DSP_SETFMT, AFMT_S16_LE);
  EXPECT_EQ(number(SNDCTL_DSP_SETFRAGMENT, 0x0004000a), 0x0004000a);
  EXPECT_EQ(number(SNDCTL_DSP_GETBLKSIZE, 0), 1024);
  auto space = get<audio_buf_info>(SNDCTL_DSP_GETOSPACE);
  EXPECT_EQ(space.fragstotal, 4);
  EXPECT_EQ(space.fragsize, 1024);
  EXPECT_EQ(space.fragments, 4);
  EXPECT_EQ(space.bytes, 4096);
  stream.write(now, std::vector<std::byte>(1500));
  space = get<audio_buf_info>(SNDCTL_DSP_GETOSPACE);
  EXPECT_EQ(space.fragments, 2);
  EXPECT_EQ(space.bytes, 2596);
  EXPECT_EQ(number(SNDCTL_DSP_GETODELAY), 1500);
  now += std::chrono::milliseconds(80);
  const auto position = get<count_info>(SNDCTL_DSP_GETOPTR);
  EXPECT_EQ(position.bytes, 1280);
  EXPECT_EQ(position.ptr, 1280);
  EXPECT_EQ(position.blocks, 1);
  EXPECT_EQ(number(SNDCTL_DSP_GETODELAY), 220);
}

TEST_F(DspIoctls, ResetPostAndTriggerDoWhatTheySay) {
  stream.write(now, std::vector<std::byte>(10));
  EXPECT_EQ(error(SNDCTL_DSP_POST), 0);
  EXPECT_TRUE(stream.running());
  EXPECT_EQ(error(SNDCTL_DSP_RESET), 0);
  EXPECT_FALSE(stream.running());
  EXPECT_EQ(error(SNDCTL_DSP_SETTRIGGER, 0), 0);
  EXPECT_EQ(number(SNDCTL_DSP_GETTRIGGER), 0);
  EXPECT_EQ(error(SNDCTL_DSP_SETTRIGGER, PCM_ENABLE_INPUT), 0);
  EXPECT_FALSE(stream.running()) << "there's no input to enable";
  EXPECT_EQ(error(SNDCTL_DSP_SETTRIGGER, -1), 0);
  EXPECT_EQ(number(SNDCTL_DSP_GETTRIGGER), PCM_ENABLE_OUTPUT);
  EXPECT_EQ(stream.path(), Path::mapped);
}

TEST_F(DspIoctls, WhatIsNotThereIsRefusedAsLinuxDoes) {
  for (const auto number_of :
       {SNDCTL_DSP_GETISPACE, SNDCTL_DSP_GETIPTR, SNDCTL_DSP_MAPINBUF, SNDCTL_DSP_MAPOUTBUF, SNDCTL_DSP_GETSPDIF}) {
    const auto command = static_cast<std::uint32_t>(number_of);
    EXPECT_EQ(error(command), EINVAL) << ioctl_name(command);
  }
  EXPECT_EQ(error(SNDCTL_DSP_GETCHANNELMASK, 1), EINVAL);
  EXPECT_EQ(error(SNDCTL_DSP_SETSPDIF, 1), EINVAL);
  EXPECT_EQ(error(SOUND_PCM_WRITE_FILTER, 1), EIO);
  EXPECT_EQ(error(SOUND_PCM_READ_FILTER), EIO);
  EXPECT_EQ(error(SNDCTL_DSP_SETDUPLEX), EIO);
  EXPECT_EQ(error(SNDCTL_DSP_SETSYNCRO), 0);
  EXPECT_EQ(error(SNDCTL_DSP_PROFILE, 1), 0);
  EXPECT_EQ(error(_IOWR('P', 99, int), 1), EINVAL);
  EXPECT_EQ(error(_IO('P', 99)), EINVAL);
  EXPECT_EQ(error(_IOR('X', 1, int)), EINVAL);
  EXPECT_EQ(error(TCGETS), ENOTTY);
  EXPECT_EQ(error(FIONREAD), ENOTTY);
  EXPECT_EQ(error(0), ENOTTY);
  EXPECT_EQ(error(UINT_MAX), ENOTTY);
}

TEST_F(DspIoctls, InputThatIsTooShortIsRefused) {
  for (const auto number_of : {SNDCTL_DSP_SPEED, SNDCTL_DSP_SETFMT, SNDCTL_DSP_SETTRIGGER}) {
    const auto command = static_cast<std::uint32_t>(number_of);
    EXPECT_EQ(error(command), EINVAL);
    EXPECT_EQ(answer_ioctl({&stream, nullptr, levels}, {}, card_levels, now, command, std::vector<std::byte>(3)).error,
              EINVAL);
  }
}

// Any command, any input, in any order: always an answer of the size that the command's number says, a sane format and
// a ring that fits.
TEST_F(DspIoctls, GarbageNeverBreaksIt) {
  std::mt19937 random(1);
  const auto some = [&](std::size_t count) { return static_cast<std::uint32_t>(random() % count); };
  for (int i = 0; i < 200'000; ++i) {
    auto command = static_cast<std::uint32_t>(_IOC(some(4), 'P', some(70), sizeof(int)));
    if (some(10) == 0) {
      command = static_cast<std::uint32_t>(random());
    }
    const int value = some(2) == 0 ? static_cast<int>(random()) : static_cast<int>(some(64));
    std::vector<std::byte> input(some(3) == 0 ? some(9) : sizeof value);
    const auto bytes = std::as_bytes(std::span(&value, 1));
    std::copy_n(bytes.begin(), std::min(input.size(), bytes.size()), input.begin());
    now += Nanoseconds(some(50'000'000));
    stream.copy(now);
    const device::IoctlAnswer answer = answer_ioctl({&stream, nullptr, levels}, {}, card_levels, now, command, input);
    ASSERT_TRUE(answer.output.empty() || answer.output.size() == _IOC_SIZE(command)) << std::hex << command;
    if (some(4) == 0) {
      stream.write(now, std::vector<std::byte>(some(5000)));
    }
    if (some(500) == 0) {
      stream = RingedStream(region, true);
    }
    ASSERT_GE(stream.format().rate, kLowestRate);
    ASSERT_LE(stream.format().rate, kHighestRate);
    ASSERT_LE(stream.fragments().ring_bytes(), region->size());
    ASSERT_LE(stream.unplayed(now), stream.fragments().ring_bytes());
    static_cast<void>(stream.take());
  }
}

TEST_F(DspIoctls, NamesAreThoseOfTheHeader) {
  EXPECT_EQ(ioctl_name(SNDCTL_DSP_SPEED), "SNDCTL_DSP_SPEED");
  EXPECT_EQ(ioctl_name(SNDCTL_DSP_GETODELAY), "SNDCTL_DSP_GETODELAY");
  EXPECT_EQ(ioctl_name(SOUND_PCM_READ_BITS), "SOUND_PCM_READ_BITS");
  EXPECT_EQ(ioctl_name(TCGETS), "");
}

}  // namespace
}  // namespace dmmap::sound::testing
