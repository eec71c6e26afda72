#include "servers/sound/device/dsp_ioctls.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <optional>
#include <utility>

#include "servers/sound/oss4.h"

namespace dmmap::sound {

using device::error;
using device::input_as;
using device::IoctlAnswer;
using device::number;
using device::stored;

namespace {

// Counters that grow without end go round before they would be negative.
int counter(std::uint64_t value) {
  return static_cast<int>(value & std::numeric_limits<int>::max());
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

// What both directions have; the one that records is asked last and answers for both, as on Linux.
AudioFormat format_of(const DspHalves& halves) {
  return halves.capture != nullptr ? halves.capture->format() : halves.playback->format();
}

Fragments fragments_of(const DspHalves& halves) {
  return halves.capture != nullptr ? halves.capture->fragments() : halves.playback->fragments();
}

AudioFormat set(const DspHalves& halves, Time now, const AudioFormat& wanted) {
  if (halves.playback != nullptr) {
    halves.playback->set_format(now, wanted);
  }
  if (halves.capture != nullptr) {
    halves.capture->set_format(now, wanted);
  }
  return format_of(halves);
}

// Asks the directions that there are, and answers what the last said, or the first that refused.
template <class Ask>
auto each_of(const DspHalves& halves, const Ask& ask) {
  if (halves.playback == nullptr || halves.capture == nullptr) {
    return halves.playback != nullptr ? ask(*halves.playback) : ask(*halves.capture);
  }
  auto first = ask(*halves.playback);
  return first ? ask(*halves.capture) : first;
}

IoctlAnswer space(const Fragments& ring, std::uint64_t bytes) {
  audio_buf_info info{};
  info.fragments = counter(bytes / ring.size);
  info.fragstotal = counter(ring.count);
  info.fragsize = counter(ring.size);
  info.bytes = counter(bytes);
  return stored(info);
}

IoctlAnswer position(const Position& position) {
  count_info info{};
  info.bytes = counter(position.bytes);
  info.blocks = counter(position.blocks);
  info.ptr = counter(position.ring);
  return stored(info);
}

IoctlAnswer errors(const DspHalves& halves) {
  OssErrorInfo info;
  if (halves.playback != nullptr) {
    info.play_underruns = counter(halves.playback->untold_xruns());
  }
  if (halves.capture != nullptr) {
    info.rec_overruns = counter(halves.capture->untold_xruns());
  }
  return stored(info);
}

int enabled(const DspHalves& halves) {
  return (halves.playback != nullptr && halves.playback->output_enabled() ? PCM_ENABLE_OUTPUT : 0) |
         (halves.capture != nullptr && halves.capture->input_enabled() ? PCM_ENABLE_INPUT : 0);
}

IoctlAnswer volume(const Level& level) {
  return number(oss_volume(level));
}

IoctlAnswer set_volume(Level& level, int value) {
  level = with_oss_volume(level, value);
  return volume(level);
}

IoctlAnswer set_trigger(const DspHalves& halves, Time now, int value) {
  if (halves.playback != nullptr) {
    halves.playback->trigger(now, (value & PCM_ENABLE_OUTPUT) != 0);
  }
  if (halves.capture != nullptr) {
    if (const auto started = halves.capture->trigger(now, (value & PCM_ENABLE_INPUT) != 0); !started) {
      return error(started.error().code);
    }
  }
  return {};
}

// Those that take a number where the argument points.
IoctlAnswer answer_with_input(const DspHalves& halves, Time now, std::uint32_t command, int value) {
  const AudioFormat format = format_of(halves);
  switch (command) {
    case SNDCTL_DSP_SPEED:
      return number(set(halves, now, with_rate(format, value)).rate);
    case SNDCTL_DSP_STEREO:
      return number(set(halves, now, with_channels(format, value != 0 ? 2 : 1)).channels - 1);
    case SNDCTL_DSP_CHANNELS:
      return number(set(halves, now, with_channels(format, value)).channels);
    case SNDCTL_DSP_SETFMT:
      return stored(oss_bits(set(halves, now, with_encoding(format, value)).encoding));
    case SNDCTL_DSP_GETBLKSIZE:
      return number(fragments_of(halves).size);
    case SNDCTL_DSP_SETFRAGMENT: {
      const auto bits = static_cast<std::uint32_t>(value);
      const auto set = each_of(halves, [bits](auto& half) { return half.set_fragments(bits); });
      return set ? stored(value) : error(set.error().code);
    }
    case SNDCTL_DSP_SUBDIVIDE: {
      const auto bits = static_cast<std::uint32_t>(value);
      const auto parts = each_of(halves, [bits](auto& half) { return half.subdivide(bits); });
      return parts ? number(*parts) : error(parts.error().code);
    }
    case SNDCTL_DSP_SETTRIGGER:
      return set_trigger(halves, now, value);
    case SNDCTL_DSP_SETPLAYVOL:
    case SOUND_MIXER_WRITE_PCM:  // of this stream, which is what programs mean that set it here
      return halves.playback != nullptr ? set_volume(halves.levels.playback, value) : error(EINVAL);
    case SNDCTL_DSP_SETRECVOL:
      return halves.capture != nullptr ? set_volume(halves.levels.recording, value) : error(EINVAL);
    case SOUND_PCM_WRITE_FILTER:
      return error(EIO);
    case SNDCTL_DSP_PROFILE:  // hints about what the program is like, and whether formats may be converted
    case SNDCTL_DSP_COOKEDMODE:
    case SNDCTL_DSP_POLICY:
      return {};
    default:
      return error(EINVAL);
  }
}

// Those about what is played; nothing for others.
std::optional<IoctlAnswer> answer_of_playback(PlaybackStream* stream, const Level& level, Time now,
                                              std::uint32_t command) {
  const auto if_there = [stream](const auto& answer) { return stream != nullptr ? answer(*stream) : error(EINVAL); };
  switch (command) {
    case SNDCTL_DSP_GETOSPACE:
      return if_there([&](auto& it) { return space(it.fragments(), it.space(now)); });
    case SNDCTL_DSP_GETOPTR:
      return if_there([&](auto& it) { return position(it.position(now)); });
    case SNDCTL_DSP_GETODELAY:
      return if_there([&](auto& it) { return number(it.unplayed(now)); });
    case SNDCTL_DSP_CURRENT_OPTR:
      return if_there([&](auto& it) {
        const std::uint64_t held = it.unplayed(now) / frame_bytes(it.format());
        return stored(OssCount{static_cast<std::int64_t>(it.played() / frame_bytes(it.format())), counter(held)});
      });
    case SNDCTL_DSP_GETPLAYVOL:
    case SOUND_MIXER_READ_PCM:
      return if_there([&](auto& /*it*/) { return volume(level); });
    case SNDCTL_DSP_HALT_OUTPUT:
      return if_there([&](auto& it) { return it.reset(now), IoctlAnswer(); });
    case SNDCTL_DSP_POST:
      if (stream != nullptr) {
        stream->post(now);
      }
      return IoctlAnswer();
    default:
      return std::nullopt;
  }
}

// Those about what is recorded; nothing for others.
std::optional<IoctlAnswer> answer_of_capture(CaptureStream* stream, const Level& level, Time now,
                                             std::uint32_t command) {
  const auto if_there = [stream](const auto& answer) { return stream != nullptr ? answer(*stream) : error(EINVAL); };
  switch (command) {
    case SNDCTL_DSP_GETISPACE:
      return if_there([&](auto& it) { return space(it.fragments(), it.available(now)); });
    case SNDCTL_DSP_GETIPTR:
      return if_there([&](auto& it) { return position(it.position(now)); });
    case SNDCTL_DSP_CURRENT_IPTR:
      return if_there([&](auto& it) {
        const std::uint64_t held = it.available(now) / frame_bytes(it.format());
        return stored(OssCount{static_cast<std::int64_t>(it.recorded() / frame_bytes(it.format())), counter(held)});
      });
    case SNDCTL_DSP_GETRECVOL:
      return if_there([&](auto& /*it*/) { return volume(level); });
    case SNDCTL_DSP_HALT_INPUT:
      return if_there([&](auto& it) { return it.reset(now), IoctlAnswer(); });
    default:
      return std::nullopt;
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
constexpr std::array kNames = {DMMAP_NAME(SNDCTL_DSP_RESET),
                               DMMAP_NAME(SNDCTL_DSP_SYNC),
                               DMMAP_NAME(SNDCTL_DSP_SPEED),
                               DMMAP_NAME(SNDCTL_DSP_STEREO),
                               DMMAP_NAME(SNDCTL_DSP_GETBLKSIZE),
                               DMMAP_NAME(SNDCTL_DSP_SETFMT),
                               DMMAP_NAME(SNDCTL_DSP_CHANNELS),
                               DMMAP_NAME(SOUND_PCM_WRITE_FILTER),
                               DMMAP_NAME(SNDCTL_DSP_POST),
                               DMMAP_NAME(SNDCTL_DSP_SUBDIVIDE),
                               DMMAP_NAME(SNDCTL_DSP_SETFRAGMENT),
                               DMMAP_NAME(SNDCTL_DSP_GETFMTS),
                               DMMAP_NAME(SNDCTL_DSP_GETOSPACE),
                               DMMAP_NAME(SNDCTL_DSP_GETISPACE),
                               DMMAP_NAME(SNDCTL_DSP_NONBLOCK),
                               DMMAP_NAME(SNDCTL_DSP_GETCAPS),
                               DMMAP_NAME(SNDCTL_DSP_GETTRIGGER),
                               DMMAP_NAME(SNDCTL_DSP_SETTRIGGER),
                               DMMAP_NAME(SNDCTL_DSP_GETIPTR),
                               DMMAP_NAME(SNDCTL_DSP_GETOPTR),
                               DMMAP_NAME(SNDCTL_DSP_MAPINBUF),
                               DMMAP_NAME(SNDCTL_DSP_MAPOUTBUF),
                               DMMAP_NAME(SNDCTL_DSP_SETSYNCRO),
                               DMMAP_NAME(SNDCTL_DSP_SETDUPLEX),
                               DMMAP_NAME(SNDCTL_DSP_GETODELAY),
                               DMMAP_NAME(SNDCTL_DSP_GETCHANNELMASK),
                               DMMAP_NAME(SNDCTL_DSP_BIND_CHANNEL),
                               DMMAP_NAME(SNDCTL_DSP_SETSPDIF),
                               DMMAP_NAME(SNDCTL_DSP_GETSPDIF),
                               DMMAP_NAME(SNDCTL_DSP_PROFILE),
                               DMMAP_NAME(SOUND_PCM_READ_RATE),
                               DMMAP_NAME(SOUND_PCM_READ_CHANNELS),
                               DMMAP_NAME(SOUND_PCM_READ_BITS),
                               DMMAP_NAME(SOUND_PCM_READ_FILTER),
                               DMMAP_NAME(OSS_GETVERSION),
                               DMMAP_NAME(SOUND_MIXER_READ_VOLUME),
                               DMMAP_NAME(SOUND_MIXER_READ_PCM),
                               DMMAP_NAME(SOUND_MIXER_READ_DEVMASK),
                               DMMAP_NAME(SOUND_MIXER_WRITE_VOLUME),
                               DMMAP_NAME(SOUND_MIXER_WRITE_PCM),
                               DMMAP_NAME(SOUND_MIXER_INFO),
                               DMMAP_NAME(SOUND_MIXER_READ_MIC),
                               DMMAP_NAME(SOUND_MIXER_WRITE_MIC),
                               DMMAP_NAME(SOUND_MIXER_READ_RECMASK),
                               DMMAP_NAME(SOUND_MIXER_READ_RECSRC),
                               DMMAP_NAME(SOUND_MIXER_WRITE_RECSRC),
                               DMMAP_NAME(SOUND_MIXER_READ_STEREODEVS),
                               DMMAP_NAME(SOUND_MIXER_READ_CAPS),
                               DMMAP_NAME(SOUND_OLD_MIXER_INFO),
                               DMMAP_NAME(SNDCTL_DSP_GETPLAYVOL),
                               DMMAP_NAME(SNDCTL_DSP_SETPLAYVOL),
                               DMMAP_NAME(SNDCTL_DSP_GETRECVOL),
                               DMMAP_NAME(SNDCTL_DSP_SETRECVOL),
                               DMMAP_NAME(SNDCTL_DSP_GETERROR),
                               DMMAP_NAME(SNDCTL_DSP_COOKEDMODE),
                               DMMAP_NAME(SNDCTL_DSP_SILENCE),
                               DMMAP_NAME(SNDCTL_DSP_SKIP),
                               DMMAP_NAME(SNDCTL_DSP_HALT_INPUT),
                               DMMAP_NAME(SNDCTL_DSP_HALT_OUTPUT),
                               DMMAP_NAME(SNDCTL_DSP_LOW_WATER),
                               DMMAP_NAME(SNDCTL_DSP_CURRENT_IPTR),
                               DMMAP_NAME(SNDCTL_DSP_CURRENT_OPTR),
                               DMMAP_NAME(SNDCTL_DSP_GET_CHNORDER),
                               DMMAP_NAME(SNDCTL_DSP_SET_CHNORDER),
                               DMMAP_NAME(SNDCTL_DSP_POLICY),
                               DMMAP_NAME(SNDCTL_DSP_SYNCSTART),
                               DMMAP_NAME(SNDCTL_DSP_GET_RECSRC),
                               DMMAP_NAME(SNDCTL_DSP_SET_RECSRC),
                               DMMAP_NAME(SNDCTL_DSP_GET_RECSRC_NAMES),
                               DMMAP_NAME(SNDCTL_DSP_GET_PLAYTGT),
                               DMMAP_NAME(SNDCTL_DSP_SET_PLAYTGT),
                               DMMAP_NAME(SNDCTL_DSP_GET_PLAYTGT_NAMES),
                               DMMAP_NAME(SNDCTL_SYSINFO),
                               DMMAP_NAME(SNDCTL_AUDIOINFO),
                               DMMAP_NAME(SNDCTL_AUDIOINFO_EX),
                               DMMAP_NAME(SNDCTL_ENGINEINFO),
                               DMMAP_NAME(SNDCTL_MIXERINFO),
                               DMMAP_NAME(SNDCTL_CARDINFO),
                               DMMAP_NAME(SNDCTL_MIDIINFO),
                               DMMAP_NAME(SNDCTL_MIX_NRMIX),
                               DMMAP_NAME(SNDCTL_MIX_NREXT),
                               DMMAP_NAME(SNDCTL_MIX_EXTINFO),
                               DMMAP_NAME(SNDCTL_MIX_READ),
                               DMMAP_NAME(SNDCTL_MIX_WRITE),
                               DMMAP_NAME(SNDCTL_MIX_ENUMINFO),
                               DMMAP_NAME(SNDCTL_MIX_DESCRIPTION),
                               DMMAP_NAME(SNDCTL_SETSONG),
                               DMMAP_NAME(SNDCTL_GETSONG),
                               DMMAP_NAME(SNDCTL_SETNAME),
                               DMMAP_NAME(SNDCTL_SETLABEL),
                               DMMAP_NAME(SNDCTL_GETLABEL)};
#undef DMMAP_NAME

}  // namespace

IoctlAnswer answer_ioctl(const DspHalves& halves, const CardFacts& card, Levels& card_levels, Time now,
                         std::uint32_t command, std::span<const std::byte> input) {
  if (auto answer = answer_of_playback(halves.playback, halves.levels.playback, now, command)) {
    return std::move(*answer);
  }
  if (auto answer = answer_of_capture(halves.capture, halves.levels.recording, now, command)) {
    return std::move(*answer);
  }
  switch (command) {
    case SNDCTL_DSP_RESET:
      if (halves.playback != nullptr) {
        halves.playback->reset(now);
      }
      if (halves.capture != nullptr) {
        halves.capture->reset(now);
      }
      return {};
    case SNDCTL_DSP_GETFMTS:
      return stored(all_formats());
    case SNDCTL_DSP_GETCAPS:
      return stored(capabilities(card));
    case SNDCTL_DSP_GETTRIGGER:
      return stored(enabled(halves));
    case SNDCTL_DSP_GETERROR:
      return errors(halves);
    case SNDCTL_DSP_SETSYNCRO:  // as Linux: there's nothing to synchronise with
    case SNDCTL_DSP_SILENCE:    // what isn't written is silent anyhow, and nothing is played twice
    case SNDCTL_DSP_SKIP:
      return {};
    case SNDCTL_DSP_SETDUPLEX:
      return halves.playback != nullptr && halves.capture != nullptr ? IoctlAnswer() : error(EIO);
    case SOUND_PCM_READ_FILTER:
      return error(EIO);
    case SOUND_PCM_READ_RATE:
      return number(format_of(halves).rate);
    case SOUND_PCM_READ_CHANNELS:
      return number(format_of(halves).channels);
    case SOUND_PCM_READ_BITS:
      return stored(oss_bits(format_of(halves).encoding));
    default:
      break;
  }
  if (command != SOUND_MIXER_WRITE_PCM) {
    if (auto answer = answer_card_ioctl(card, card_levels, command, input)) {
      return std::move(*answer);
    }
  }
  const unsigned group = _IOC_TYPE(command);
  if (group != 'P' && group != 'M' && group != 'X') {
    return error(ENOTTY);  // so that isatty(3) and the like see that this is something else
  }
  const auto value = input_as<int>(input);
  if ((_IOC_DIR(command) & _IOC_WRITE) == 0 || !value) {
    return error(EINVAL);
  }
  return answer_with_input(halves, now, command, *value);
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
