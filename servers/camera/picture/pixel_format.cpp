#include "servers/camera/picture/pixel_format.h"

#include <fmt/format.h>
#include <linux/videodev2.h>

#include <algorithm>
#include <array>

extern "C" {
#include <libavutil/pixfmt.h>
}

namespace dmmap::camera {

namespace {

// Documentation/userspace-api/media/v4l/pixfmt-*.rst; the descriptions are those of v4l2-ioctl.c, v4l_fill_fmtdesc.
constexpr std::array kFormats{
    PixelFormat{V4L2_PIX_FMT_YUYV, AV_PIX_FMT_YUYV422, "YUYV", "YUYV 4:2:2", 16, 16, 2, 1},
    PixelFormat{V4L2_PIX_FMT_UYVY, AV_PIX_FMT_UYVY422, "UYVY", "UYVY 4:2:2", 16, 16, 2, 1},
    PixelFormat{V4L2_PIX_FMT_NV12, AV_PIX_FMT_NV12, "NV12", "Y/CbCr 4:2:0", 12, 8, 2, 2},
    PixelFormat{V4L2_PIX_FMT_YUV420, AV_PIX_FMT_YUV420P, "YU12", "Planar YUV 4:2:0", 12, 8, 2, 2},
    PixelFormat{V4L2_PIX_FMT_RGB24, AV_PIX_FMT_RGB24, "RGB24", "24-bit RGB 8-8-8", 24, 24, 1, 1},
    PixelFormat{V4L2_PIX_FMT_BGR24, AV_PIX_FMT_BGR24, "BGR24", "24-bit BGR 8-8-8", 24, 24, 1, 1},
    PixelFormat{V4L2_PIX_FMT_GREY, AV_PIX_FMT_GRAY8, "GREY", "8-bit Greyscale", 8, 8, 1, 1},
    PixelFormat{V4L2_PIX_FMT_MJPEG, AV_PIX_FMT_NONE, "MJPEG", "Motion-JPEG", 0, 0, 2, 2},
};

constexpr unsigned kBitsOfByte = 8;

// Rounded up.
unsigned multiple_of(unsigned side, unsigned multiple) {
  return (side + multiple - 1) / multiple * multiple;
}

unsigned fitting_side(unsigned side, unsigned multiple) {
  return multiple_of(std::clamp(side, kLeastSide, kMostSide), multiple);
}

}  // namespace

std::span<const PixelFormat> pixel_formats() {
  return kFormats;
}

const PixelFormat* find_pixel_format(std::uint32_t fourcc) {
  const auto* const found =
      std::find_if(kFormats.begin(), kFormats.end(), [&](const PixelFormat& each) { return each.fourcc == fourcc; });
  return found == kFormats.end() ? nullptr : found;
}

const PixelFormat* find_pixel_format(const std::string& name) {
  const auto* const found =
      std::find_if(kFormats.begin(), kFormats.end(), [&](const PixelFormat& each) { return each.name == name; });
  return found == kFormats.end() ? nullptr : found;
}

unsigned Layout::bytes_per_line() const {
  return size.width * format->first_plane_bits / kBitsOfByte;
}

std::size_t Layout::bytes() const {
  if (!format->compressed()) {
    return std::size_t{size.width} * size.height * format->bits / kBitsOfByte;
  }
  // What libjpeg-turbo wants to have room for (turbojpeg.h, tjBufSize, for YUV 4:2:0): whole blocks, and a header.
  constexpr unsigned kBlock = 16;
  constexpr std::size_t kHeader = 2048;
  return std::size_t{multiple_of(size.width, kBlock)} * multiple_of(size.height, kBlock) * 3 + kHeader;
}

std::string describe(const Layout& layout) {
  return fmt::format("{} {}x{}", layout.format->name, layout.size.width, layout.size.height);
}

Size fitting(const PixelFormat& format, Size size) {
  return {fitting_side(size.width, format.horizontal), fitting_side(size.height, format.vertical)};
}

}  // namespace dmmap::camera
