#include "servers/sound/device/stream_rings.h"

#include <sys/mman.h>

#include <cerrno>

namespace dmmap::sound {

Result<Grant> StreamRings::grant(const MapRequest& request) {
  if (!any()) {
    return fail(ENODEV, "this mount has no rings to map");
  }
  if (request.moment == MapMoment::open) {
    return Grant{.region = options_.first, .offset = request.offset};
  }
  if (request.offset + request.length.value_or(0) > options_.first->size()) {
    return fail(EINVAL, "a ring isn't as long as that");
  }
  const bool wants_to_play = (request.prot & PROT_WRITE) != 0;
  const bool plays = wants_to_play && (options_.play || (request.prot & PROT_READ) == 0);
  if (plays ? !options_.play : !options_.record) {
    return fail(ENXIO, plays ? "the file isn't open for playing" : "the file doesn't record");
  }
  if (plays || !options_.play) {
    return Grant{.region = options_.first, .offset = request.offset};
  }
  const MutexLock lock(lock_);
  if (!second_) {
    auto made = options_.make();
    if (!made) {
      return tl::unexpected(made.error());
    }
    second_ = std::move(*made);
  }
  return Grant{.region = second_, .offset = request.offset};
}

std::shared_ptr<Region> StreamRings::second() const {
  const MutexLock lock(lock_);
  return second_;
}

bool StreamRings::takes_recording(bool first_is_played) const {
  return second() != nullptr || (any() && options_.store_in_first && !first_is_played);
}

Result<void> StreamRings::store(const RingPart& part, std::span<const std::byte> bytes) {
  const auto apart = second();
  return write_ring(apart ? *apart : *options_.first, part, bytes);
}

}  // namespace dmmap::sound
