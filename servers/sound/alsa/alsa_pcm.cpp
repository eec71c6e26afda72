#include "servers/sound/alsa/alsa_pcm.h"

#include <alsa/asoundlib.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <utility>

namespace dmmap::sound {

namespace {

constexpr unsigned kBuffer = 200'000;  // microseconds
constexpr unsigned kPeriod = 10'000;   // microseconds

using Known = std::pair<snd_pcm_format_t, Encoding>;
constexpr Known kS16{SND_PCM_FORMAT_S16_LE, Encoding::s16_le};
constexpr std::array kWide{Known{SND_PCM_FORMAT_S32_LE, Encoding::s32_le},
                           Known{SND_PCM_FORMAT_S24_LE, Encoding::s24_le},
                           Known{SND_PCM_FORMAT_S24_3LE, Encoding::s24_packed},
                           Known{SND_PCM_FORMAT_FLOAT, Encoding::float32},
                           kS16,
                           Known{SND_PCM_FORMAT_S32_BE, Encoding::s32_be},
                           Known{SND_PCM_FORMAT_S16_BE, Encoding::s16_be},
                           Known{SND_PCM_FORMAT_U8, Encoding::u8}};

// ALSA's library prints what it thinks of a configuration; the error that it returns is what the user gets.
void say_nothing(const char* /*file*/, int /*line*/, const char* /*function*/, int /*code*/, const char* /*format*/,
                 ...) {}  // NOLINT(cert-dcl50-cpp): the type that ALSA wants

}  // namespace

Result<std::unique_ptr<AlsaPcm>> AlsaPcm::open(const std::string& name, Direction direction, const Wish& wish) {
  static std::once_flag silenced;
  std::call_once(silenced, [] { snd_lib_error_set_handler(say_nothing); });
  std::unique_ptr<AlsaPcm> self(new AlsaPcm());
  const auto stream = direction == Direction::playback ? SND_PCM_STREAM_PLAYBACK : SND_PCM_STREAM_CAPTURE;
  if (const int code = snd_pcm_open(&self->pcm_, name.c_str(), stream, SND_PCM_NONBLOCK); code < 0) {
    return fail(-code, fmt::format("ALSA can't open it ({}); `aplay -L` names what there is", snd_strerror(code)));
  }
  if (auto done = self->set_up(wish); !done) {
    return tl::unexpected(done.error());
  }
  return self;
}

AlsaPcm::~AlsaPcm() {
  if (pcm_ != nullptr) {
    snd_pcm_close(pcm_);
  }
}

Result<void> AlsaPcm::set_up(const Wish& wish) {
  snd_pcm_hw_params_t* hardware = nullptr;
  snd_pcm_hw_params_alloca(&hardware);
  int code = snd_pcm_hw_params_any(pcm_, hardware);
  const auto also = [&code](int next) { code = code < 0 ? code : next; };
  also(snd_pcm_hw_params_set_access(pcm_, hardware, SND_PCM_ACCESS_RW_INTERLEAVED));
  const auto can = [&](const Known& known) { return snd_pcm_hw_params_test_format(pcm_, hardware, known.first) == 0; };
  const auto* const wide = std::find_if(kWide.begin(), kWide.end(), can);
  if (code >= 0 && wide == kWide.end()) {
    return fail(EINVAL, "it has no sample format that we have; put a plug in front of it, as plughw: does");
  }
  const Known chosen = wish.bits <= 16 && can(kS16) ? kS16 : *wide;
  also(snd_pcm_hw_params_set_format(pcm_, hardware, chosen.first));
  unsigned channels = kMostChannels;
  also(snd_pcm_hw_params_set_channels_max(pcm_, hardware, &channels));
  channels = wish.channels;
  also(snd_pcm_hw_params_set_channels_near(pcm_, hardware, &channels));
  unsigned rate = wish.rate;
  also(snd_pcm_hw_params_set_rate_near(pcm_, hardware, &rate, nullptr));
  unsigned time = kBuffer;
  also(snd_pcm_hw_params_set_buffer_time_near(pcm_, hardware, &time, nullptr));
  time = kPeriod;
  also(snd_pcm_hw_params_set_period_time_near(pcm_, hardware, &time, nullptr));
  also(snd_pcm_hw_params(pcm_, hardware));
  snd_pcm_uframes_t buffer = 0;
  also(snd_pcm_hw_params_get_buffer_size(hardware, &buffer));

  snd_pcm_sw_params_t* software = nullptr;
  snd_pcm_sw_params_alloca(&software);
  also(snd_pcm_sw_params_current(pcm_, software));
  also(snd_pcm_sw_params_set_start_threshold(pcm_, software, std::min<snd_pcm_uframes_t>(wish.start_after, buffer)));
  also(snd_pcm_sw_params(pcm_, software));
  if (code < 0) {
    return fail(-code, fmt::format("ALSA can't set it up ({})", snd_strerror(code)));
  }
  format_ = {chosen.second, rate, channels};
  return {};
}

Result<void> AlsaPcm::recover(long code) {
  int done = static_cast<int>(code);
  if (code == -ESTRPIPE) {
    done = snd_pcm_resume(pcm_);
    if (done == -EAGAIN) {
      return {};  // still asleep
    }
  }
  if (done < 0 && (code == -EPIPE || code == -ESTRPIPE || code == -EBADFD)) {
    done = snd_pcm_prepare(pcm_);
  }
  if (done < 0) {
    return fail(-done, fmt::format("ALSA has lost it ({})", snd_strerror(done)));
  }
  return {};
}

}  // namespace dmmap::sound
