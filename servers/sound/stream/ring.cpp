#include "servers/sound/stream/ring.h"

#include <algorithm>
#include <vector>

namespace dmmap::sound {

Result<void> read_ring(const Region& region, const RingPart& part, std::span<std::byte> to) {
  for (std::uint64_t at = part.begin; at < part.end;) {
    const std::uint64_t place = at % part.ring_bytes;
    const std::uint64_t run = std::min(part.end - at, part.ring_bytes - place);
    if (auto copied = region.read(place, to.subspan(at - part.begin, run)); !copied) {
      return copied;
    }
    at += run;
  }
  return {};
}

Result<void> silence_ring(Region& region, const RingSilence& silence) {
  std::vector<std::byte> ring(silence.bytes);
  if (auto copied = region.read(0, ring); !copied) {
    return copied;
  }
  if (std::any_of(ring.begin(), ring.end(), [](std::byte value) { return value != std::byte{0}; })) {
    return {};
  }
  std::fill(ring.begin(), ring.end(), silence.value);
  return region.write(0, ring);
}

}  // namespace dmmap::sound
