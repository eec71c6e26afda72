// ChannelMap: what is heard of a stream where the sink has other channels.
//
// The order of channels is that of OSS on Linux, which is ALSA's (sound/core/oss/pcm_oss.c hands them on): left, right,
// rear left, rear right, centre, bass, side left, side right; three are left, right, centre, and seven have one more
// rear in the place of the sides. What the sink lacks goes to its neighbours at -3 dB (ITU-R BS.775), but for the bass,
// which is left out; mono is heard on left and right as it is. What could add up to more than full scale is made as
// much quieter.
//
// Promises: with as many channels samples pass unchanged. Thread safety: const calls, from any thread.
#pragma once

#include <span>
#include <vector>

namespace dmmap::sound {

class ChannelMap {
 public:
  /// REQUIRES: 1 to 8 channels.
  ChannelMap(unsigned from, unsigned to);
  [[nodiscard]] bool changes_nothing() const { return from_ == to_; }
  /// Appends what becomes of `samples`, whole frames.
  void apply(std::span<const float> samples, std::vector<float>& out) const;
  /// How loud channel `from` of the stream is on channel `to` of the sink, 0 to 1.
  [[nodiscard]] float gain(unsigned from, unsigned to) const { return gains_[to * from_ + from]; }

 private:
  unsigned from_;
  unsigned to_;
  std::vector<float> gains_;  // for each channel of the sink one for each of the stream
};

/// What each of `channels` is multiplied by when the left is to be `left` and the right `right`; what is on neither
/// side gets the mean. REQUIRES: 1 to 8 channels.
[[nodiscard]] std::vector<float> gains_by_channel(unsigned channels, float left, float right);

}  // namespace dmmap::sound
