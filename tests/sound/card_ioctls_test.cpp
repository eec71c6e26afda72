// The mixer, and what OSS 4 tells of the card, for sane and for insane input.
#include "servers/sound/device/card_ioctls.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "servers/sound/oss4.h"

namespace dmmap::sound::testing {
namespace {

class CardIoctls : public ::testing::Test {
 protected:
  template <class T>
  device::IoctlAnswer call(std::uint32_t command, const T& input) {
    return answer_card_ioctl(card, levels, command, std::as_bytes(std::span(&input, 1)))
        .value_or(device::error(ENOTTY));
  }
  template <class T>
  T get(std::uint32_t command, const T& input = {}) {
    const device::IoctlAnswer answer = call(command, input);
    EXPECT_EQ(answer.error, 0);
    EXPECT_EQ(answer.output.size(), sizeof(T));
    T value{};
    std::memcpy(&value, answer.output.data(), std::min(sizeof value, answer.output.size()));
    return value;
  }
  int number(std::uint32_t command, int input = 0) { return get<int>(command, input); }

  CardFacts card{.mmap = true, .record = true, .mountpoint = "/run/dmmap-sound"};
  Levels levels;
};

TEST_F(CardIoctls, EveryLevelBeginsAtFullAndKeepsWhatItIsSetTo) {
  for (const auto& [read, write, control] :
       {std::tuple{SOUND_MIXER_READ_VOLUME, SOUND_MIXER_WRITE_VOLUME, Control::master},
        std::tuple{SOUND_MIXER_READ_PCM, SOUND_MIXER_WRITE_PCM, Control::pcm},
        std::tuple{SOUND_MIXER_READ_MIC, SOUND_MIXER_WRITE_MIC, Control::recording}}) {
    const auto reads = static_cast<std::uint32_t>(read);
    const auto writes = static_cast<std::uint32_t>(write);
    EXPECT_EQ(number(reads), 100 | 100 << 8);
    EXPECT_EQ(number(writes, 30 | 70 << 8), 30 | 70 << 8);
    EXPECT_EQ(number(reads), 30 | 70 << 8);
    EXPECT_EQ(levels.get(control), (Level{30, 70, false}));
    EXPECT_EQ(number(writes, 255 | 101 << 8), 100 | 100 << 8) << "no more than full";
    EXPECT_EQ(number(writes, INT_MIN), 0);
    EXPECT_EQ(number(writes, -1), 100 | 100 << 8);
  }
  EXPECT_EQ(get<mixer_info>(static_cast<std::uint32_t>(SOUND_MIXER_INFO)).modify_counter, 12);
}

TEST_F(CardIoctls, MasksSayWhatThereIs) {
  constexpr int kAll = SOUND_MASK_VOLUME | SOUND_MASK_PCM | SOUND_MASK_MIC;
  EXPECT_EQ(number(SOUND_MIXER_READ_DEVMASK), kAll);
  EXPECT_EQ(number(SOUND_MIXER_READ_STEREODEVS), kAll);
  EXPECT_EQ(number(SOUND_MIXER_READ_RECMASK), SOUND_MASK_MIC);
  EXPECT_EQ(number(SOUND_MIXER_READ_RECSRC), SOUND_MASK_MIC);
  EXPECT_EQ(number(SOUND_MIXER_WRITE_RECSRC, SOUND_MASK_LINE), SOUND_MASK_MIC);
  card.record = false;
  EXPECT_EQ(number(SOUND_MIXER_READ_DEVMASK), SOUND_MASK_VOLUME | SOUND_MASK_PCM);
  EXPECT_EQ(number(SOUND_MIXER_READ_RECMASK), 0);
  EXPECT_EQ(call(SOUND_MIXER_READ_MIC, 0).error, EINVAL);
}

TEST_F(CardIoctls, WhatIsNotThereIsRefusedAsLinuxDoes) {
  EXPECT_EQ(call(SOUND_MIXER_READ_BASS, 0).error, EINVAL);
  EXPECT_EQ(call(SOUND_MIXER_WRITE_CD, 0).error, EINVAL);
  EXPECT_EQ(call(SOUND_MIXER_ACCESS, 0).error, ENXIO);
  EXPECT_EQ(call(_IOWR('M', 200, int), 0).error, ENXIO);
  EXPECT_EQ(answer_card_ioctl(card, levels, SOUND_MIXER_WRITE_PCM, {})->error, EINVAL) << "no input";
  EXPECT_FALSE(answer_card_ioctl(card, levels, SNDCTL_DSP_SPEED, {})) << "that's of an open";
  EXPECT_FALSE(answer_card_ioctl(card, levels, SNDCTL_MIX_EXTINFO, {}));
}

TEST_F(CardIoctls, Oss4KnowsTheDevice) {
  const auto system = get<OssSysInfo>(SNDCTL_SYSINFO);
  EXPECT_EQ(system.versionnum, number(OSS_GETVERSION));
  EXPECT_EQ(system.numaudios, 1);
  EXPECT_EQ(system.nummidis, 0);
  for (const int dev : {-1, 0}) {
    OssAudioInfo question;
    question.dev = dev;
    const auto audio = get<OssAudioInfo>(SNDCTL_AUDIOINFO, question);
    EXPECT_EQ(audio.dev, 0);
    EXPECT_EQ(std::string(audio.devnode.data()), "/run/dmmap-sound/dsp");
    EXPECT_EQ(audio.caps, capabilities(card));
    EXPECT_NE(audio.caps & PCM_CAP_DUPLEX, 0);
    EXPECT_EQ(audio.max_rate, 192000);
    EXPECT_EQ(audio.iformats, audio.oformats);
    EXPECT_EQ(get<OssAudioInfo>(SNDCTL_ENGINEINFO, question).pid, -1);
  }
  for (const int dev : {1, -2, INT_MAX, INT_MIN}) {
    OssAudioInfo question;
    question.dev = dev;
    EXPECT_EQ(call(SNDCTL_AUDIOINFO, question).error, ENXIO);
  }
  EXPECT_EQ(std::string(get<OssMixerInfo>(SNDCTL_MIXERINFO).devnode.data()), "/run/dmmap-sound/mixer");
  card.mountpoint = std::string(100, 'x');
  EXPECT_EQ(std::string(get<OssMixerInfo>(SNDCTL_MIXERINFO).devnode.data()), "") << "too long to be told";
}

TEST_F(CardIoctls, GarbageNeverBreaksIt) {
  std::mt19937 random(1);
  std::vector<std::byte> input(2000);
  for (int i = 0; i < 200'000; ++i) {
    const unsigned sizes[] = {
        0, 4, 8, sizeof(mixer_info), sizeof(OssAudioInfo), sizeof(OssSysInfo), static_cast<unsigned>(random() % 4000)};
    const auto command = static_cast<std::uint32_t>(
        _IOC(random() % 4, random() % 2 == 0 ? 'M' : 'X', random() % 256, sizes[random() % std::size(sizes)]));
    for (std::size_t byte = 0; byte < 8; ++byte) {
      input[byte] = static_cast<std::byte>(random());
    }
    const auto answer = answer_card_ioctl(card, levels, command, std::span(input).first(random() % input.size()));
    ASSERT_TRUE(!answer || answer->output.empty() || answer->output.size() == _IOC_SIZE(command))
        << std::hex << command;
    for (const auto control : {Control::master, Control::pcm, Control::recording}) {
      ASSERT_LE(levels.get(control).left, 100U);
    }
  }
}

}  // namespace
}  // namespace dmmap::sound::testing
