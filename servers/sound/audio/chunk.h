// Chunk: a run of bytes that a stream has played, on their way to the mix.
//
// Promises: the chunks of a stream, one after the other, are all that it played, in order.
#pragma once

#include <cstddef>
#include <vector>

#include "servers/sound/audio/clock.h"
#include "servers/sound/audio/format.h"

namespace dmmap::sound {

struct Chunk {
  AudioFormat format;
  bool begins = false;     ///< the stream starts, at `at`
  Time at{};               ///< when, if it begins
  Nanoseconds silent{0};   ///< if it begins after an underrun: for how long there was nothing to play
  Nanoseconds slipped{0};  ///< the stream's clock stood still for so long before these bytes
  std::vector<std::byte> bytes{};
  bool ends = false;  ///< the stream stops after these bytes
};

}  // namespace dmmap::sound
