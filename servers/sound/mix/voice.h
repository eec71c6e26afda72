// Voice: one stream's part of the mix, in the sink's rate and channels.
//
// A voice holds frames that are ready and not yet mixed. They have a place in the sink's time, counted in frames since
// the sink began; it's decided when the stream begins to play, and from then on each frame follows the last.
//
// Promises: when rate and channels are the sink's and the gain is 1, samples pass unchanged. Thread safety: one thread
// at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "servers/sound/audio/clock.h"
#include "servers/sound/audio/converter.h"
#include "servers/sound/audio/format.h"
#include "servers/sound/mix/levels.h"

namespace dmmap::sound {

class Voice {
 public:
  Voice(unsigned sink_rate, unsigned sink_channels) : sink_rate_(sink_rate), sink_channels_(sink_channels) {}

  /// The stream begins to play, at frame `place`; later if what it played before reaches further. REQUIRES: !active().
  void begin(const AudioFormat& format, std::uint64_t place);
  /// Plays `bytes`, whole frames. REQUIRES: active().
  void play(std::span<const std::byte> bytes);
  /// Plays silence. REQUIRES: active().
  void pause(Nanoseconds length);
  /// The stream stops; the rest of it becomes ready.
  void end();

  /// How loud it is: its own gain times that of all. A change is a ramp of 10 ms, unless nothing has been mixed yet.
  void set_own_gain(Gain gain) { own_gain_ = gain; }
  void set_common_gain(Gain gain) { common_gain_ = gain; }

  [[nodiscard]] bool active() const { return active_; }
  /// The frame after the last that is ready.
  [[nodiscard]] std::uint64_t ready_until() const { return first_ + ready_.size() / sink_channels_; }
  /// As ready_until(), and what the resampler still holds. Not rounded.
  [[nodiscard]] double played_until() const;
  [[nodiscard]] bool empty() const { return ready_.empty(); }

  /// Adds what there is from frame `from` on to `mix`, and forgets it. REQUIRES: nothing before `from` is ready.
  void add_to(std::span<float> mix, std::uint64_t from);

 private:
  void take(std::span<const float> samples);

  /// Multiplies the first `count` of ready_ by the gains, or by what leads to them.
  void apply_gains(std::size_t count);

  unsigned sink_rate_;
  unsigned sink_channels_;
  AudioFormat format_;
  std::optional<Converter> convert_;
  bool active_ = false;
  std::uint64_t first_ = 0;  // the place of ready_'s first frame
  std::vector<float> ready_;
  Gain own_gain_;
  Gain common_gain_;
  std::vector<float> gains_;  // that each channel has come to; empty before anything is mixed
  std::uint64_t began_ = 0;   // the place of the first frame since begin()
  std::uint64_t frames_ = 0;  // of the stream, since begin()
};

}  // namespace dmmap::sound
