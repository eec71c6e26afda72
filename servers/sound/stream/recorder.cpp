#include "servers/sound/stream/recorder.h"

#include <algorithm>
#include <utility>

#include "servers/sound/audio/channels.h"

namespace dmmap::sound {

namespace {

void apply(Gain gain, unsigned channels, std::span<float> samples) {
  if (gain == Gain{}) {
    return;
  }
  const std::vector<float> gains = gains_by_channel(channels, gain.left, gain.right);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i] *= gains[i % channels];
  }
}

}  // namespace

Recorder::Recorder(std::unique_ptr<Recording> recording, const AudioFormat& format)
    : recording_(std::move(recording)), from_(recording_->format()) {
  set_format(format);
}

void Recorder::set_format(const AudioFormat& format) {
  format_ = format;
  ready_.clear();
  convert_.emplace(Converter::Side{from_.rate, from_.channels}, Converter::Side{format.rate, format.channels});
}

void Recorder::fetch(std::size_t frames) {
  const std::uint64_t needed = (std::uint64_t{frames} * from_.rate + format_.rate - 1) / format_.rate;
  std::vector<float> samples(std::max<std::uint64_t>(needed, 1) * from_.channels);
  recording_->read(samples);
  convert_->process(samples, ready_);
}

void Recorder::record(std::span<std::byte> bytes, Gain gain) {
  const std::size_t wanted = bytes.size() / sample_bytes(format_.encoding);
  // What the resampler holds back comes later than what it was given.
  while (ready_.size() < wanted) {
    fetch((wanted - ready_.size()) / format_.channels);
  }
  const std::span<float> samples = std::span(ready_).first(wanted);
  apply(gain, format_.channels, samples);
  encode_samples(format_.encoding, samples, bytes);
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(wanted));
}

}  // namespace dmmap::sound
