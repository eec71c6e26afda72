// Consumer: who captures, as the camera sees it: one open file that streams.
//
// Thread safety: the camera calls from its own thread; status() from any.
#pragma once

#include <dmmap/region.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "servers/camera/picture/picture.h"
#include "servers/camera/picture/pixel_format.h"

namespace dmmap::camera {

/// Where a picture is wanted.
struct Target {
  Layout layout;
  std::shared_ptr<Region> region;  ///< it's to be written to; null: straight into `bytes`
  std::uint64_t offset = 0;        ///< bytes into the region
  std::span<std::byte> bytes;      ///< where it can be made in place; empty: only by Region::write
};

class Consumer {
 public:
  Consumer() = default;
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;
  virtual ~Consumer() = default;

  /// Nothing where this picture isn't wanted, or there's no room for it. Otherwise it's followed by filled().
  virtual std::optional<Target> claim(Time taken) = 0;
  /// So many bytes of the picture of that time are there; nothing: it couldn't be made.
  virtual void filled(std::optional<std::size_t> bytes, Time taken) = 0;
  /// There'll be no more pictures.
  virtual void ended() = 0;
};

}  // namespace dmmap::camera
