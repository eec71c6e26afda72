#include "servers/sound/stream/ring.h"

#include <algorithm>
#include <vector>

namespace dmmap::sound {

namespace {

// Calls `each`(place in the ring, place in the run, how many bytes) for the pieces that a run from byte `at` on has.
template <class Each>
Result<void> in_pieces(std::uint64_t at, std::uint64_t size, std::uint64_t ring_bytes, const Each& each) {
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t place = (at + done) % ring_bytes;
    const std::uint64_t run = std::min(size - done, ring_bytes - place);
    if (auto result = each(place, done, run); !result) {
      return result;
    }
    done += run;
  }
  return {};
}

}  // namespace

void RingBuffer::put(std::uint64_t at, std::span<const std::byte> bytes, std::uint64_t ring_bytes) {
  bytes_.resize(ring_bytes);
  static_cast<void>(in_pieces(at, bytes.size(), ring_bytes, [&](auto place, auto done, auto run) -> Result<void> {
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(done), run,
                bytes_.begin() + static_cast<std::ptrdiff_t>(place));
    return {};
  }));
}

void RingBuffer::get(std::uint64_t at, std::span<std::byte> bytes, std::uint64_t ring_bytes) const {
  static_cast<void>(in_pieces(at, bytes.size(), ring_bytes, [&](auto place, auto done, auto run) -> Result<void> {
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(place), run,
                bytes.begin() + static_cast<std::ptrdiff_t>(done));
    return {};
  }));
}

Result<void> read_ring(const Region& region, const RingPart& part, std::span<std::byte> to) {
  return in_pieces(part.begin, part.end - part.begin, part.ring_bytes,
                   [&](auto place, auto done, auto run) { return region.read(place, to.subspan(done, run)); });
}

Result<void> write_ring(Region& region, const RingPart& part, std::span<const std::byte> bytes) {
  return in_pieces(part.begin, part.end - part.begin, part.ring_bytes,
                   [&](auto place, auto done, auto run) { return region.write(place, bytes.subspan(done, run)); });
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
