// StreamClock: which frame a stream has come to at what time.
//
// Promises: exact to the nanosecond over centuries: no error adds up. frame_at(time_of(f)) is f or more, and
// frame_at() one nanosecond before that is less than f. Thread safety: one thread at a time.
#pragma once

#include <cstdint>

#include "servers/sound/audio/clock.h"

namespace dmmap::sound {

class StreamClock {
 public:
  /// From `at` on `rate` frames a second are played, the first of them being `frame`.
  void start(Time at, std::uint64_t frame, unsigned rate) {
    at_ = at;
    frame_ = frame;
    rate_ = rate;
  }

  /// The number of the frame that is about to be played at `time`, which isn't before the start.
  [[nodiscard]] std::uint64_t frame_at(Time time) const {
    if (time <= at_) {
      return frame_;
    }
    const auto passed = static_cast<std::uint64_t>(Nanoseconds(time - at_).count());
    return frame_ + passed / kSecond * rate_ + passed % kSecond * rate_ / kSecond;
  }

  /// The first moment at which frame_at() is `frame`, which isn't before the first.
  [[nodiscard]] Time time_of(std::uint64_t frame) const {
    const std::uint64_t frames = frame - frame_;
    const std::uint64_t rest = (frames % rate_ * kSecond + rate_ - 1) / rate_;
    return at_ + Nanoseconds(static_cast<std::int64_t>(frames / rate_ * kSecond + rest));
  }

 private:
  static constexpr std::uint64_t kSecond = 1'000'000'000;
  Time at_{};
  std::uint64_t frame_ = 0;
  std::uint64_t rate_ = 1;
};

}  // namespace dmmap::sound
