// Converter: puts a picture into the format and size that a program captures.
//
// Promises: a picture that is so already is copied, byte for byte; others are scaled and converted (libswscale,
// bilinear, in two steps where that's quicker), YUV being ITU-R BT.601 and of limited range as V4L2 has it by default,
// and JPEG's of full range. What is kept between pictures is the newest few conversions' tables. Thread safety: of one
// thread at a time.
#pragma once

#include <dmmap/error.h>

#include <cstddef>
#include <list>
#include <memory>
#include <span>

#include "servers/camera/picture/picture.h"
#include "servers/camera/picture/pixel_format.h"

namespace dmmap::camera {

/// libswscale reads beyond a picture's end, though it makes nothing of what it reads there.
inline constexpr std::size_t kRoomBehind = 64;  // bytes

class Converter {
 public:
  Converter();
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;
  ~Converter();

  /// Writes to the start of `to`, which is never read. Returns how many bytes that were.
  /// REQUIRES: `to` has layout.bytes(), and kRoomBehind bytes can be read behind those of `picture`. Errors: EINVAL for
  /// a picture that libswscale can't convert, EIO, ENOMEM.
  Result<std::size_t> convert(const AVFrame& picture, const Layout& layout, std::span<std::byte> to);

  /// The picture in that format and size; itself if it's so already. Errors: as convert().
  Result<Picture> convert(const Picture& picture, int av_format, Size size);

  /// 1 to 100, as libjpeg has it.
  void set_jpeg_quality(int percent) { jpeg_quality_ = percent; }

  /// Whether a picture's bytes only have to be copied.
  [[nodiscard]] static bool is_native(const AVFrame& picture, const Layout& layout);

 private:
  struct Planes;
  struct Conversion;
  struct Between;
  struct Jpeg;
  static Planes planes_of(const AVFrame& picture, bool full_range);
  Result<void> scale(const AVFrame& picture, const Planes& to);
  Result<void> scale_at_once(const AVFrame& picture, const Planes& to);
  Result<std::size_t> compress(const AVFrame& picture, const Layout& layout, std::span<std::byte> to);

  std::list<Conversion> conversions_;  // the newest first
  std::unique_ptr<Between> between_;   // where a conversion goes by way of another format
  std::unique_ptr<Between> to_;        // has room behind each line
  std::unique_ptr<Jpeg> jpeg_;
  int jpeg_quality_;
};

}  // namespace dmmap::camera
