// PixelFormat: a format that programs capture, by its V4L2 name (linux/videodev2.h) and by libavutil's.
//
// Promises: plain constants. Thread safety: every function, from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace dmmap::camera {

/// `fourcc` as V4L2_PIX_FMT_ has it.
struct PixelFormat {
  std::uint32_t fourcc = 0;
  int av = -1;                   ///< enum AVPixelFormat; AV_PIX_FMT_NONE for MJPEG, which has none
  const char* name = "";         ///< what option values call it: "YUYV"
  const char* description = "";  ///< as VIDIOC_ENUM_FMT tells it
  unsigned bits = 0;             ///< of a picture, for each pixel; 0 for MJPEG
  unsigned first_plane_bits =
      0;                    ///< of a line of its first plane, for each pixel: bytesperline (struct v4l2_pix_format)
  unsigned horizontal = 1;  ///< a width is a multiple of it
  unsigned vertical = 1;    ///< and a height of that
  [[nodiscard]] bool compressed() const { return bits == 0; }
};

/// All that there are; the first is what a program gets that asks for none.
[[nodiscard]] std::span<const PixelFormat> pixel_formats();
/// Null for one that isn't among them.
[[nodiscard]] const PixelFormat* find_pixel_format(std::uint32_t fourcc);
[[nodiscard]] const PixelFormat* find_pixel_format(const std::string& name);

/// Pixels each way.
inline constexpr unsigned kLeastSide = 16;
inline constexpr unsigned kMostSide = 4096;

/// Width and height, in pixels.
struct Size {
  unsigned width = 0;
  unsigned height = 0;
  bool operator==(const Size&) const = default;
};

/// How the bytes of a picture lie, plane after plane without a gap, as V4L2 has it.
struct Layout {
  const PixelFormat* format = nullptr;
  Size size;
  bool operator==(const Layout&) const = default;
  /// Bytes of a line of the first plane; 0 for MJPEG.
  [[nodiscard]] unsigned bytes_per_line() const;
  /// Bytes; for MJPEG as many as the longest picture may have.
  [[nodiscard]] std::size_t bytes() const;
};

/// "YUYV 640x480".
[[nodiscard]] std::string describe(const Layout& layout);

/// The nearest that `format` can have: within the limits, and multiples of what it wants. Rounded up where a picture is
/// to be held, never down to nothing.
[[nodiscard]] Size fitting(const PixelFormat& format, Size size);

}  // namespace dmmap::camera
