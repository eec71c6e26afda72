#include "servers/sound/device/dsp_ioctls.h"

// Before soundcard.h, which takes _IOWR and the like from there.
#include <linux/soundcard.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

namespace dmmap::sound {

namespace {

// Counters that grow without end go round before they would be negative.
int counter(std::uint64_t value) {
  return static_cast<int>(value & std::numeric_limits<int>::max());
}

int all_formats() {
  int bits = 0;
  for (std::size_t each = 0; each < kEncodings; ++each) {
    bits |= oss_bits(static_cast<Encoding>(each));
  }
  return bits;
}

// Values below `lowest`, negative ones too, become that; 0 asks for what there is.
unsigned nearest(int value, unsigned lowest, unsigned highest, unsigned current) {
  if (value == 0) {
    return current;
  }
  return value < 0 ? lowest : std::clamp(static_cast<unsigned>(value), lowest, highest);
}

AudioFormat with_rate(AudioFormat format, int rate) {
  format.rate = nearest(rate, kLowestRate, kHighestRate, format.rate);
  return format;
}

AudioFormat with_channels(AudioFormat format, int channels) {
  format.channels = nearest(channels, 1, kMostChannels, format.channels);
  return format;
}

// What isn't supported, or isn't one format, becomes what every program knows.
AudioFormat with_encoding(AudioFormat format, int bits) {
  if (bits != AFMT_QUERY) {
    format.encoding = encoding_of(bits).value_or(Encoding::s16_le);
  }
  return format;
}

AudioFormat set(PlaybackStream& stream, Time now, const AudioFormat& wanted) {
  stream.set_format(now, wanted);
  return stream.format();
}

IoctlAnswer output_space(PlaybackStream& stream, Time now) {
  const Fragments ring = stream.fragments();
  const std::uint64_t space = stream.space(now);
  audio_buf_info info{};
  info.fragments = counter(space / ring.size);
  info.fragstotal = counter(ring.count);
  info.fragsize = counter(ring.size);
  info.bytes = counter(space);
  return stored(info);
}

IoctlAnswer output_position(PlaybackStream& stream, Time now) {
  const Position position = stream.position(now);
  count_info info{};
  info.bytes = counter(position.bytes);
  info.blocks = counter(position.blocks);
  info.ptr = counter(position.ring);
  return stored(info);
}

int capabilities(const DeviceFacts& facts) {
  return DSP_CAP_REALTIME | DSP_CAP_TRIGGER | DSP_CAP_MULTI | (facts.mmap ? DSP_CAP_MMAP : 0);
}

// Those that take a number where the argument points.
IoctlAnswer answer_with_input(PlaybackStream& stream, Time now, std::uint32_t command, int value) {
  switch (command) {
    case SNDCTL_DSP_SPEED:
      return number(set(stream, now, with_rate(stream.format(), value)).rate);
    case SNDCTL_DSP_STEREO:
      return number(set(stream, now, with_channels(stream.format(), value != 0 ? 2 : 1)).channels - 1);
    case SNDCTL_DSP_CHANNELS:
      return number(set(stream, now, with_channels(stream.format(), value)).channels);
    case SNDCTL_DSP_SETFMT:
      return stored(oss_bits(set(stream, now, with_encoding(stream.format(), value)).encoding));
    case SNDCTL_DSP_GETBLKSIZE:
      return number(stream.fragments().size);
    case SNDCTL_DSP_SETFRAGMENT: {
      const auto set = stream.set_fragments(static_cast<std::uint32_t>(value));
      return set ? stored(value) : error(set.error().code);
    }
    case SNDCTL_DSP_SUBDIVIDE: {
      const auto parts = stream.subdivide(static_cast<std::uint32_t>(value));
      return parts ? number(*parts) : error(parts.error().code);
    }
    case SNDCTL_DSP_SETTRIGGER:
      stream.trigger(now, (value & PCM_ENABLE_OUTPUT) != 0);
      return {};
    case SOUND_PCM_WRITE_FILTER:
      return error(EIO);
    case SNDCTL_DSP_PROFILE:  // a hint about what the program is like
      return {};
    default:
      return error(EINVAL);
  }
}

struct Name {
  std::uint32_t command;
  std::string_view name;
};

#define DMMAP_NAME(command) \
  Name {                    \
    command, #command       \
  }
constexpr std::array kNames = {DMMAP_NAME(SNDCTL_DSP_RESET),         DMMAP_NAME(SNDCTL_DSP_SYNC),
                               DMMAP_NAME(SNDCTL_DSP_SPEED),         DMMAP_NAME(SNDCTL_DSP_STEREO),
                               DMMAP_NAME(SNDCTL_DSP_GETBLKSIZE),    DMMAP_NAME(SNDCTL_DSP_SETFMT),
                               DMMAP_NAME(SNDCTL_DSP_CHANNELS),      DMMAP_NAME(SOUND_PCM_WRITE_FILTER),
                               DMMAP_NAME(SNDCTL_DSP_POST),          DMMAP_NAME(SNDCTL_DSP_SUBDIVIDE),
                               DMMAP_NAME(SNDCTL_DSP_SETFRAGMENT),   DMMAP_NAME(SNDCTL_DSP_GETFMTS),
                               DMMAP_NAME(SNDCTL_DSP_GETOSPACE),     DMMAP_NAME(SNDCTL_DSP_GETISPACE),
                               DMMAP_NAME(SNDCTL_DSP_NONBLOCK),      DMMAP_NAME(SNDCTL_DSP_GETCAPS),
                               DMMAP_NAME(SNDCTL_DSP_GETTRIGGER),    DMMAP_NAME(SNDCTL_DSP_SETTRIGGER),
                               DMMAP_NAME(SNDCTL_DSP_GETIPTR),       DMMAP_NAME(SNDCTL_DSP_GETOPTR),
                               DMMAP_NAME(SNDCTL_DSP_MAPINBUF),      DMMAP_NAME(SNDCTL_DSP_MAPOUTBUF),
                               DMMAP_NAME(SNDCTL_DSP_SETSYNCRO),     DMMAP_NAME(SNDCTL_DSP_SETDUPLEX),
                               DMMAP_NAME(SNDCTL_DSP_GETODELAY),     DMMAP_NAME(SNDCTL_DSP_GETCHANNELMASK),
                               DMMAP_NAME(SNDCTL_DSP_BIND_CHANNEL),  DMMAP_NAME(SNDCTL_DSP_SETSPDIF),
                               DMMAP_NAME(SNDCTL_DSP_GETSPDIF),      DMMAP_NAME(SNDCTL_DSP_PROFILE),
                               DMMAP_NAME(SOUND_PCM_READ_RATE),      DMMAP_NAME(SOUND_PCM_READ_CHANNELS),
                               DMMAP_NAME(SOUND_PCM_READ_BITS),      DMMAP_NAME(SOUND_PCM_READ_FILTER),
                               DMMAP_NAME(OSS_GETVERSION),           DMMAP_NAME(SOUND_MIXER_READ_VOLUME),
                               DMMAP_NAME(SOUND_MIXER_READ_PCM),     DMMAP_NAME(SOUND_MIXER_READ_DEVMASK),
                               DMMAP_NAME(SOUND_MIXER_WRITE_VOLUME), DMMAP_NAME(SOUND_MIXER_WRITE_PCM),
                               DMMAP_NAME(SOUND_MIXER_INFO)};
#undef DMMAP_NAME

}  // namespace

IoctlAnswer answer_ioctl(PlaybackStream& stream, const DeviceFacts& facts, Time now, std::uint32_t command,
                         std::span<const std::byte> input) {
  switch (command) {
    case SNDCTL_DSP_RESET:
      stream.reset(now);
      return {};
    case SNDCTL_DSP_POST:
      stream.post(now);
      return {};
    case SNDCTL_DSP_GETFMTS:
      return stored(all_formats());
    case SNDCTL_DSP_GETOSPACE:
      return output_space(stream, now);
    case SNDCTL_DSP_GETOPTR:
      return output_position(stream, now);
    case SNDCTL_DSP_GETODELAY:
      return number(stream.unplayed(now));
    case SNDCTL_DSP_GETCAPS:
      return stored(capabilities(facts));
    case SNDCTL_DSP_GETTRIGGER:
      return stored(stream.output_enabled() ? PCM_ENABLE_OUTPUT : 0);
    case SNDCTL_DSP_SETSYNCRO:  // as Linux: there's nothing to synchronise with
      return {};
    case SNDCTL_DSP_SETDUPLEX:
    case SOUND_PCM_READ_FILTER:
      return error(EIO);
    case SOUND_PCM_READ_RATE:
      return number(stream.format().rate);
    case SOUND_PCM_READ_CHANNELS:
      return number(stream.format().channels);
    case SOUND_PCM_READ_BITS:
      return stored(oss_bits(stream.format().encoding));
    case OSS_GETVERSION:
      return stored(SOUND_VERSION);
    default:
      break;
  }
  const unsigned group = _IOC_TYPE(command);
  if (group != 'P' && group != 'M' && group != 'X') {
    return error(ENOTTY);  // so that isatty(3) and the like see that this is something else
  }
  const auto value = input_as<int>(input);
  if ((_IOC_DIR(command) & _IOC_WRITE) == 0 || !value) {
    return error(EINVAL);
  }
  return answer_with_input(stream, now, command, *value);
}

bool leads_to_the_ring(std::uint32_t command) {
  return command == SNDCTL_DSP_GETOSPACE || command == SNDCTL_DSP_GETBLKSIZE || command == SNDCTL_DSP_SETTRIGGER;
}

std::string_view ioctl_name(std::uint32_t command) {
  const auto* found =
      std::find_if(kNames.begin(), kNames.end(), [&](const Name& each) { return each.command == command; });
  return found == kNames.end() ? std::string_view() : found->name;
}

}  // namespace dmmap::sound
