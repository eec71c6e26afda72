// Picture: one picture of a source, as libavutil's AVFrame: any pixel format of libavutil's, any size.
//
// Promises: what a Picture points to doesn't change as long as it exists, but for one that shows a producer's mapped
// buffer, whose bytes are the producer's to change (never their number or place). Thread safety: a Picture can be read
// from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

extern "C" {
struct AVFrame;
}

namespace dmmap::camera {

/// CLOCK_MONOTONIC, which is what V4L2's timestamps are in.
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

using Picture = std::shared_ptr<const AVFrame>;

/// Frames a second, as a fraction.
struct Rate {
  unsigned numerator = 30;
  unsigned denominator = 1;
  bool operator==(const Rate&) const = default;
  [[nodiscard]] double per_second() const { return static_cast<double>(numerator) / denominator; }
  [[nodiscard]] std::chrono::nanoseconds period() const {
    constexpr std::uint64_t kSecond = 1'000'000'000;
    return std::chrono::nanoseconds(kSecond * denominator / numerator);
  }
};

/// One moment of a source.
struct Shot {
  Picture picture;
  Time time;                 ///< when it was taken
  std::uint64_t number = 0;  ///< counts from 0 since Source::begin(); one that was left out leaves a gap
};

}  // namespace dmmap::camera
