#include "servers/sound/mix/limiter.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dmmap::sound {

namespace {

float peak_of(std::span<const float> samples) {
  float peak = 0;
  for (const float sample : samples) {
    peak = std::max(peak, std::abs(sample));
  }
  return peak;
}

}  // namespace

Limiter::Limiter(unsigned rate, unsigned channels)
    : channels_(channels),
      ahead_(std::max(rate / 200, 1U)),
      recovery_(5.0F / static_cast<float>(rate)),
      gains_(ahead_ + 1, 1.0F),
      sum_(static_cast<double>(ahead_ + 1)) {}

// The average over the window of gains, each of which is no more than any frame of its own window needs: so a frame's
// gain is no more than that frame needs, and rises and falls without a step.
float Limiter::gain_after(float peak) {
  if (peak > 1.0F) {
    const float needed = 1.0F / peak;
    while (!least_.empty() && least_.back().second >= needed) {
      least_.pop_back();
    }
    least_.emplace_back(frame_, needed);
  }
  while (!least_.empty() && least_.front().first + ahead_ < frame_) {
    least_.pop_front();
  }
  ++frame_;
  last_ = std::min({least_.empty() ? 1.0F : least_.front().second, last_ + recovery_, 1.0F});
  const float leaving = std::exchange(gains_[oldest_], last_);
  oldest_ = (oldest_ + 1) % gains_.size();
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
  const std::size_t frames = in.size() / channels_;
  held_.insert(held_.end(), in.begin(), in.end());
  const std::size_t held = held_.size() / channels_;
  const std::size_t ready = held > ahead_ ? held - ahead_ : 0;
  const std::span<const float> leaving = std::span(held_).first(ready * channels_);
  // Nearly always there's nothing to be done.
  if (at_rest() && peak_of(in) <= 1.0F) {
    frame_ += frames;
    out.insert(out.end(), leaving.begin(), leaving.end());
  } else {
    factors_.clear();
    for (std::size_t frame = 0; frame < frames; ++frame) {
      factors_.push_back(gain_after(peak_of(in.subspan(frame * channels_, channels_))));
    }
    const std::size_t first = frames - ready;  // whose factor is for the first that leaves
    for (std::size_t i = 0; i < leaving.size(); ++i) {
      out.push_back(leaving[i] * factors_[first + i / channels_]);
    }
  }
  held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(leaving.size()));
}

void Limiter::flush(std::vector<float>& out) {
  const std::size_t wanted = out.size() + held_.size();
  // As much silence as is looked ahead pushes it out. Perhaps less was held than that: what comes after it is dropped.
  process(std::vector<float>(ahead_ * channels_, 0.0F), out);
  out.resize(wanted);
  held_.clear();
  least_.clear();
  std::fill(gains_.begin(), gains_.end(), 1.0F);
  last_ = 1;
  lowered_ = 0;
  sum_ = static_cast<double>(gains_.size());
}

}  // namespace dmmap::sound
