// What one direction of a stream tells of itself: to the log, and as HalfStatus (control/status.h).
//
// Thread safety: as the streams'.
#pragma once

#include <cstdint>

#include "servers/sound/control/status.h"
#include "servers/sound/stream/capture_stream.h"
#include "servers/sound/stream/playback_stream.h"

namespace dmmap::sound {

// What both directions have.
template <class Half>
[[nodiscard]] HalfStatus status_of(const Half& half, const char* path, std::uint64_t fill, const Level& level) {
  const StreamCounts& counts = half.counts();
  return {.format = half.format(),
          .path = path,
          .running = half.running(),
          .frames = counts.frames,
          .seconds = counts.seconds,
          .ring = half.fragments().ring_bytes(),
          .fill = fill,
          .xruns = counts.xruns,
          .slips = counts.slips,
          .level = level};
}

[[nodiscard]] inline const char* path_of(const PlaybackStream& stream) {
  return stream.path() == Path::mapped ? "mmap" : "write";
}
[[nodiscard]] inline const char* path_of(const CaptureStream& stream) {
  return stream.path() == CapturePath::read ? "read" : "mmap";
}

}  // namespace dmmap::sound
