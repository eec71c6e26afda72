// Where a stream is, and what has happened to it: for clients, the log and who asks for its status.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>

namespace dmmap::sound {

/// SNDCTL_DSP_GETOPTR and SNDCTL_DSP_GETIPTR.
struct Position {
  std::uint64_t bytes = 0;   ///< played or recorded since the stream was reset
  std::uint64_t blocks = 0;  ///< fragments that were completed since this was last asked
  std::uint64_t ring = 0;    ///< byte of the ring that is about to be played or recorded
};

/// What happened to one direction of a stream since it was opened.
struct StreamCounts {
  std::uint64_t frames = 0;  ///< played or recorded
  std::uint64_t xruns = 0;   ///< underruns when it plays, overruns when it records
  std::uint64_t slips = 0;   ///< the server was late, and the clock stood still
  double seconds = 0;        ///< played or recorded
};

}  // namespace dmmap::sound
