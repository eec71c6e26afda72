#include "servers/sound/alsa/alsa_input.h"

#include <alsa/asoundlib.h>

#include <algorithm>
#include <cerrno>

#include "servers/sound/live/output.h"

namespace dmmap::sound {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::uint64_t kBlock = 1024;  // frames read at a time

}  // namespace

Result<SourceFormat> AlsaInput::open(const SourceFormat& wanted) {
  auto pcm = AlsaPcm::open(name_, AlsaPcm::Direction::capture, {wanted.rate, wanted.channels, 24, 1});
  if (!pcm) {
    return tl::unexpected(pcm.error());
  }
  pcm_ = std::move(*pcm);
  if (const int code = snd_pcm_start(pcm_->handle()); code < 0) {
    return fail(-code, std::string("ALSA can't start it (") + snd_strerror(code) + ")");
  }
  opened_ = Steady::now();
  frames_ = 0;
  return SourceFormat{pcm_->format().rate, pcm_->format().channels};
}

Result<void> AlsaInput::read(std::vector<float>& samples) {
  const AudioFormat& format = pcm_->format();
  const std::chrono::duration<double> since = Steady::now() - opened_ + kCushion;
  const auto due = static_cast<std::uint64_t>(since.count() * format.rate);
  while (frames_ < due) {
    const std::uint64_t wanted = std::min(kBlock, due - frames_);
    bytes_.resize(wanted * frame_bytes(format));
    const snd_pcm_sframes_t got = snd_pcm_readi(pcm_->handle(), bytes_.data(), wanted);
    if (got == -EAGAIN || got == 0) {
      return {};
    }
    if (got < 0) {
      if (auto done = pcm_->recover(got); !done) {
        return done;
      }
      snd_pcm_start(pcm_->handle());
      return {};
    }
    append_samples(format.encoding, std::span(bytes_).first(static_cast<std::size_t>(got) * frame_bytes(format)),
                   samples);
    frames_ += static_cast<std::uint64_t>(got);
  }
  return {};
}

}  // namespace dmmap::sound
