#include "servers/sound/mix/voice.h"

#include <algorithm>

#include "servers/sound/audio/channels.h"

namespace dmmap::sound {

void Voice::begin(const AudioFormat& format, std::uint64_t place) {
  if (ready_.empty()) {
    first_ = place;
  } else if (place > ready_until()) {
    ready_.resize((place - first_) * sink_channels_);
  }
  began_ = ready_until();
  frames_ = 0;
  format_ = format;
  convert_.emplace(Converter::Side{format.rate, format.channels}, Converter::Side{sink_rate_, sink_channels_});
  active_ = true;
}

void Voice::play(std::span<const std::byte> bytes) {
  std::vector<float> samples;
  append_samples(format_.encoding, bytes, samples);
  take(samples);
}

void Voice::pause(Nanoseconds length) {
  const double frames = std::chrono::duration<double>(length).count() * format_.rate;
  take(std::vector<float>(static_cast<std::size_t>(frames) * format_.channels));
}

void Voice::end() {
  convert_->finish(ready_);
  active_ = false;
}

double Voice::played_until() const {
  return static_cast<double>(began_) + static_cast<double>(frames_) * sink_rate_ / format_.rate;
}

void Voice::take(std::span<const float> samples) {
  frames_ += samples.size() / format_.channels;
  convert_->process(samples, ready_);
}

void Voice::apply_gains(std::size_t count) {
  const Gain gain = own_gain_ * common_gain_;
  const std::vector<float> wanted = gains_by_channel(sink_channels_, gain.left, gain.right);
  if (gains_.empty()) {
    gains_ = wanted;
  }
  const auto is_one = [](float each) { return each == 1.0F; };
  if (std::all_of(gains_.begin(), gains_.end(), is_one) && std::all_of(wanted.begin(), wanted.end(), is_one)) {
    return;
  }
  const float step = 100.0F / static_cast<float>(sink_rate_);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t channel = i % sink_channels_;
    float& has = gains_[channel];
    has += std::clamp(wanted[channel] - has, -step, step);
    ready_[i] *= has;
  }
}

void Voice::add_to(std::span<float> mix, std::uint64_t from) {
  const std::uint64_t until = from + mix.size() / sink_channels_;
  if (ready_.empty() || first_ >= until) {
    return;
  }
  const std::size_t skip = (first_ - from) * sink_channels_;
  const std::size_t count = std::min(ready_.size(), mix.size() - skip);
  apply_gains(count);
  for (std::size_t i = 0; i < count; ++i) {
    mix[skip + i] += ready_[i];
  }
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(count));
  first_ += count / sink_channels_;
}

}  // namespace dmmap::sound
