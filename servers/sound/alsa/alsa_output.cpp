#include "servers/sound/alsa/alsa_output.h"

#include <alsa/asoundlib.h>

#include <cerrno>

namespace dmmap::sound {

Result<SinkFormat> AlsaOutput::open(const SinkFormat& wanted) {
  const auto cushion = static_cast<unsigned>(wanted.rate * kCushion.count() / 1000);
  auto pcm = AlsaPcm::open(name_, AlsaPcm::Direction::playback, {wanted.rate, wanted.channels, wanted.bits, cushion});
  if (!pcm) {
    return tl::unexpected(pcm.error());
  }
  pcm_ = std::move(*pcm);
  return SinkFormat{pcm_->format().rate, pcm_->format().channels, wanted.bits};
}

Result<std::size_t> AlsaOutput::write(std::span<const float> samples) {
  if (samples.empty()) {
    const bool gone = snd_pcm_state(pcm_->handle()) == SND_PCM_STATE_DISCONNECTED;
    return gone ? Result<std::size_t>(fail(ENODEV, "the device has gone")) : std::size_t{0};
  }
  bytes_.resize(samples.size() * sample_bytes(pcm_->format().encoding));
  encode_samples(pcm_->format().encoding, samples, bytes_);
  const snd_pcm_uframes_t frames = samples.size() / pcm_->format().channels;
  snd_pcm_sframes_t took = snd_pcm_writei(pcm_->handle(), bytes_.data(), frames);
  if (took < 0 && took != -EAGAIN) {
    if (auto done = pcm_->recover(took); !done) {
      return tl::unexpected(done.error());
    }
    took = snd_pcm_writei(pcm_->handle(), bytes_.data(), frames);
  }
  return took > 0 ? static_cast<std::size_t>(took) * pcm_->format().channels : 0;
}

void AlsaOutput::play_out() {
  // Less than the cushion wouldn't begin by itself; what can't be started has nothing to play.
  if (snd_pcm_state(pcm_->handle()) == SND_PCM_STATE_PREPARED) {
    snd_pcm_start(pcm_->handle());
  }
}

bool AlsaOutput::played_out() {
  snd_pcm_sframes_t left = 0;
  return snd_pcm_state(pcm_->handle()) != SND_PCM_STATE_RUNNING || snd_pcm_delay(pcm_->handle(), &left) < 0 ||
         left <= 0;
}

}  // namespace dmmap::sound
