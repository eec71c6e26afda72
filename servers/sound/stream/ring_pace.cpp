#include "servers/sound/stream/ring_pace.h"

#include <algorithm>

namespace dmmap::sound {

namespace {

// A fragment may be so short that a thread can't wake for each; then the ring has some slack, but only so much.
constexpr Nanoseconds kShortLateness = std::chrono::milliseconds(5);

}  // namespace

Nanoseconds RingPace::tolerance() const {
  const Fragments ring = fragments();
  return std::max(lasting(ring.size / 2), std::min(lasting(ring.ring_bytes() / 4), kShortLateness));
}

RingPace::Progress RingPace::progress(std::uint64_t done, std::uint64_t limit, Time now) const {
  const std::uint64_t boundary = boundary_after(done);
  const Nanoseconds late = now - time_of(boundary);
  if (limit >= boundary && late > tolerance()) {
    return {boundary, late};
  }
  return {std::min(clock_.frame_at(now) * frame(), limit), std::nullopt};
}

}  // namespace dmmap::sound
