#include "servers/sound/mix/limiter.h"

#include <algorithm>
#include <cmath>

namespace dmmap::sound {

Limiter::Limiter(unsigned rate, unsigned channels)
    : channels_(channels),
      ahead_(std::max(rate / 200, 1U)),
      recovery_(5.0F / static_cast<float>(rate)),
      gains_(ahead_ + 1, 1.0F),
      sum_(static_cast<double>(ahead_ + 1)) {}

// The average over the window of gains, each of which is no more than any frame of its own window needs: so a frame's
// gain is no more than that frame needs, and rises and falls without a step.
float Limiter::gain_after(float peak) {
  const float needed = peak > 1.0F ? 1.0F / peak : 1.0F;
  while (!least_.empty() && least_.back().second >= needed) {
    least_.pop_back();
  }
  least_.emplace_back(frame_, needed);
  while (least_.front().first + ahead_ < frame_) {
    least_.pop_front();
  }
  ++frame_;
  last_ = std::min({least_.front().second, last_ + recovery_, 1.0F});
  const float leaving = gains_.front();
  gains_.pop_front();
  gains_.push_back(last_);
  lowered_ += last_ < 1.0F ? 1 : 0;
  lowered_ -= leaving < 1.0F ? 1 : 0;
  if (lowered_ == 0) {
    sum_ = static_cast<double>(gains_.size());  // what rounding has added up is forgotten
    return 1.0F;
  }
  sum_ += static_cast<double>(last_) - static_cast<double>(leaving);
  return static_cast<float>(sum_ / static_cast<double>(gains_.size()));
}

void Limiter::process(std::span<const float> in, std::vector<float>& out) {
  for (std::size_t at = 0; at + channels_ <= in.size(); at += channels_) {
    const auto frame = in.subspan(at, channels_);
    float peak = 0;
    for (const float sample : frame) {
      peak = std::max(peak, std::abs(sample));
    }
    held_.insert(held_.end(), frame.begin(), frame.end());
    const float gain = gain_after(peak);
    if (held_.size() > ahead_ * channels_) {
      for (std::size_t i = 0; i < channels_; ++i) {
        out.push_back(held_.front() * gain);
        held_.pop_front();
      }
    }
  }
}

void Limiter::flush(std::vector<float>& out) {
  const std::size_t wanted = out.size() + held_.size();
  // As much silence as is looked ahead pushes it out. Perhaps less was held than that: what comes after it is dropped.
  process(std::vector<float>(ahead_ * channels_, 0.0F), out);
  out.resize(wanted);
  held_.clear();
}

}  // namespace dmmap::sound
