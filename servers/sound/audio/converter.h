// Converter: samples brought to another rate and another number of channels.
//
// Promises: with the same rate and as many channels samples pass unchanged; otherwise it's Resampler's and ChannelMap's
// work, done in the order that resamples fewer channels. Thread safety: one thread at a time.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "servers/sound/audio/channels.h"
#include "servers/sound/audio/resampler.h"

namespace dmmap::sound {

class Converter {
 public:
  struct Side {
    unsigned rate = 48000;  ///< Hz
    unsigned channels = 2;  ///< 1 to 8
  };
  Converter(Side from, Side to);

  /// Appends to `out` what is ready of `in`, whole frames.
  void process(std::span<const float> in, std::vector<float>& out);
  /// Appends the rest. Nothing can be processed after that.
  void finish(std::vector<float>& out);

 private:
  ChannelMap map_;
  bool map_first_;
  std::optional<Resampler> resampler_;
};

}  // namespace dmmap::sound
