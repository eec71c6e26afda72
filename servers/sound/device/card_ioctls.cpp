#include "servers/sound/device/card_ioctls.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "servers/sound/audio/format.h"
#include "servers/sound/oss4.h"

namespace dmmap::sound {

using device::error;
using device::input_as;
using device::IoctlAnswer;
using device::number;
using device::stored;

namespace {

// Text that ends with a zero; what is too long for that is nothing, since half a path is worse than none.
template <std::size_t kSize>
void set_text(OssText<kSize>& text, std::string_view value) {
  if (value.size() < kSize) {
    std::copy(value.begin(), value.end(), text.begin());
  }
}

// Which control a number of OSS's mixer is; nothing for those that aren't there.
std::optional<Control> control_of(unsigned number, const CardFacts& card) {
  switch (number) {
    case SOUND_MIXER_VOLUME:
      return Control::master;
    case SOUND_MIXER_PCM:
      return Control::pcm;
    case SOUND_MIXER_MIC:
      return card.record ? std::optional(Control::recording) : std::nullopt;
    default:
      return std::nullopt;
  }
}

IoctlAnswer mixer_identity(const Levels& levels) {
  mixer_info info{};
  constexpr std::string_view kId = "dmmap";
  constexpr std::string_view kName = "dmmap sound";
  std::copy(kId.begin(), kId.end(), std::begin(info.id));
  std::copy(kName.begin(), kName.end(), std::begin(info.name));
  info.modify_counter = static_cast<int>(levels.changes());
  return stored(info);
}

IoctlAnswer answer_mixer(const CardFacts& card, Levels& levels, std::uint32_t command,
                         std::span<const std::byte> input) {
  const int mic = card.record ? SOUND_MASK_MIC : 0;
  const int all = SOUND_MASK_VOLUME | SOUND_MASK_PCM | mic;
  switch (command) {
    case OSS_GETVERSION:
      // What OSS 4 has is here, and programs ask for it only if this says so (GStreamer's oss4sink). None of those that
      // know OSS 3.8 only has been found to mind.
      return stored(kOss4Version);
    case SOUND_MIXER_INFO:
      return mixer_identity(levels);
    case SOUND_OLD_MIXER_INFO: {
      IoctlAnswer answer = mixer_identity(levels);
      answer.output.resize(sizeof(_old_mixer_info));
      return answer;
    }
    case SOUND_MIXER_READ_DEVMASK:
    case SOUND_MIXER_READ_STEREODEVS:
      return stored(all);
    case SOUND_MIXER_READ_RECMASK:
    case SOUND_MIXER_READ_RECSRC:
    case SOUND_MIXER_WRITE_RECSRC:  // there's but one
      return stored(mic);
    case SOUND_MIXER_READ_CAPS:
      return stored(SOUND_CAP_EXCL_INPUT);
    default:
      break;
  }
  const auto control = control_of(_IOC_NR(command), card);
  if (_IOC_SIZE(command) != sizeof(int) || _IOC_NR(command) >= SOUND_MIXER_NRDEVICES) {
    return error(ENXIO);
  }
  if (!control) {
    return error(EINVAL);
  }
  if (_IOC_DIR(command) == _IOC_READ) {
    return stored(static_cast<int>(oss_volume(levels.get(*control))));
  }
  const auto value = input_as<int>(input);
  if (!value) {
    return error(EINVAL);
  }
  levels.set(*control, with_oss_volume(levels.get(*control), *value));
  const int now = static_cast<int>(oss_volume(levels.get(*control)));
  return (_IOC_DIR(command) & _IOC_READ) != 0 ? stored(now) : IoctlAnswer();
}

IoctlAnswer system_info() {
  OssSysInfo info;
  set_text(info.product, "dmmap");
  set_text(info.version, DMMAP_SOUND_VERSION);
  info.versionnum = kOss4Version;
  info.numaudios = info.numaudioengines = info.nummixers = info.numcards = 1;
  set_text(info.license, "Apache-2.0");
  return stored(info);
}

// About the only one there is. -1 is the one that is asked.
IoctlAnswer audio_info(const CardFacts& card, OssAudioInfo info) {
  if (info.dev < -1 || info.dev > 0) {
    return error(ENXIO);
  }
  info = {};
  set_text(info.name, "dmmap sound");
  info.caps = capabilities(card);
  info.oformats = all_formats();
  info.iformats = card.record ? all_formats() : 0;
  info.enabled = 1;
  info.min_rate = kLowestRate;
  info.max_rate = kHighestRate;
  info.min_channels = 1;
  info.max_channels = kMostChannels;
  set_text(info.devnode, card.mountpoint + "/dsp");
  set_text(info.handle, "dmmap-dsp");
  return stored(info);
}

IoctlAnswer mixer_device_info(const CardFacts& card, const Levels& levels, OssMixerInfo info) {
  if (info.dev < -1 || info.dev > 0) {
    return error(ENXIO);
  }
  info = {};
  set_text(info.id, "dmmap");
  set_text(info.name, "dmmap sound");
  info.modify_counter = static_cast<int>(levels.changes());
  info.enabled = 1;
  set_text(info.devnode, card.mountpoint + "/mixer");
  set_text(info.handle, "dmmap-mixer");
  return stored(info);
}

IoctlAnswer card_info(OssCardInfo info) {
  if (info.card < -1 || info.card > 0) {
    return error(ENXIO);
  }
  info = {};
  set_text(info.shortname, "dmmap");
  set_text(info.longname, "dmmap sound");
  return stored(info);
}

// Has `answer` answer what the client asks, if it's all there.
template <class T, class Answer>
IoctlAnswer asked(std::span<const std::byte> input, const Answer& answer) {
  const auto question = input_as<T>(input);
  return question ? answer(*question) : error(EINVAL);
}

}  // namespace

int capabilities(const CardFacts& card) {
  return PCM_CAP_REALTIME | PCM_CAP_TRIGGER | PCM_CAP_MULTI | PCM_CAP_OUTPUT | PCM_CAP_VIRTUAL |
         (card.record ? PCM_CAP_DUPLEX | PCM_CAP_INPUT : 0) | (card.mmap ? PCM_CAP_MMAP : 0);
}

int all_formats() {
  int bits = 0;
  for (std::size_t each = 0; each < kEncodings; ++each) {
    bits |= oss_bits(static_cast<Encoding>(each));
  }
  return bits;
}

unsigned oss_volume(const Level& level) {
  return level.left | level.right << 8;
}

Level with_oss_volume(Level level, int value) {
  const auto bits = static_cast<unsigned>(value);
  level.left = std::min(bits & 0xff, 100U);
  level.right = std::min(bits >> 8 & 0xff, 100U);
  return level;
}

std::optional<IoctlAnswer> answer_card_ioctl(const CardFacts& card, Levels& levels, std::uint32_t command,
                                             std::span<const std::byte> input) {
  if (_IOC_TYPE(command) == 'M') {
    return answer_mixer(card, levels, command, input);
  }
  switch (command) {
    case SNDCTL_SYSINFO:
      return system_info();
    case SNDCTL_AUDIOINFO:
    case SNDCTL_AUDIOINFO_EX:
    case SNDCTL_ENGINEINFO:
      return asked<OssAudioInfo>(input, [&](const auto& question) { return audio_info(card, question); });
    case SNDCTL_MIXERINFO:
      return asked<OssMixerInfo>(input,
                                 [&](const auto& question) { return mixer_device_info(card, levels, question); });
    case SNDCTL_CARDINFO:
      return asked<OssCardInfo>(input, [](const auto& question) { return card_info(question); });
    case SNDCTL_MIDIINFO:
      return error(ENXIO);  // there's none
    case SNDCTL_MIX_NRMIX:
      return number(1);
    case SNDCTL_MIX_NREXT:
      return number(0);  // what there is, OSS 3.8's ioctls know
    default:
      return std::nullopt;
  }
}

}  // namespace dmmap::sound
