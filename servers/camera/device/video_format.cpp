#include "servers/camera/device/video_format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "servers/camera/sources/rates.h"

namespace dmmap::camera {

namespace {

constexpr std::array kUsualSizes{Size{3840, 2160}, Size{2560, 1440}, Size{1920, 1080}, Size{1280, 960}, Size{1280, 720},
                                 Size{1024, 768},  Size{960, 540},   Size{800, 600},   Size{640, 480},  Size{640, 360},
                                 Size{352, 288},   Size{320, 240},   Size{320, 180},   Size{176, 144},  Size{160, 120}};
constexpr std::array kUsualRates{60U, 50U, 30U, 25U, 24U, 20U, 15U, 10U, 5U};

std::uint64_t area(Size size) {
  return std::uint64_t{size.width} * size.height;
}

// Pixels that only one of them has, were both laid upon each other.
std::uint64_t apart(Size one, Size other) {
  const Size common{std::min(one.width, other.width), std::min(one.height, other.height)};
  return area(one) + area(other) - 2 * area(common);
}

}  // namespace

const PixelFormat* capture_format(const About& about, unsigned index) {
  const auto all = pixel_formats();
  if (about.native == nullptr) {
    return index < all.size() ? &all[index] : nullptr;
  }
  if (index == 0) {
    return about.native;
  }
  // The others in their order, around that one.
  const auto own = static_cast<std::size_t>(about.native - all.data());
  const std::size_t position = index <= own ? index - 1 : index;
  return position < all.size() ? &all[position] : nullptr;
}

const PixelFormat* output_format(unsigned index) {
  unsigned seen = 0;
  for (const PixelFormat& each : pixel_formats()) {
    if (!each.compressed() && seen++ == index) {
      return &each;
    }
  }
  return nullptr;
}

std::vector<Size> capture_sizes(const About& about, const PixelFormat& format) {
  std::vector<Size> sizes{fitting(format, about.size)};
  for (const Size& each : kUsualSizes) {
    if (each.width <= about.size.width && each.height <= about.size.height && each != sizes.front()) {
      sizes.push_back(each);
    }
  }
  return sizes;
}

std::vector<Rate> capture_rates(const About& about) {
  std::vector<Rate> rates{about.rate};
  for (const unsigned each : kUsualRates) {
    if (each * std::uint64_t{about.rate.denominator} < about.rate.numerator) {
      rates.push_back({each, 1});
    }
  }
  return rates;
}

Layout nearest_capture(const About& about, const v4l2_pix_format& wanted) {
  const PixelFormat* format = find_pixel_format(wanted.pixelformat);
  format = format == nullptr ? capture_format(about, 0) : format;
  const Size asked{wanted.width, wanted.height};
  if (about.any_size) {
    return {format, fitting(*format, asked)};
  }
  const std::vector<Size> sizes = capture_sizes(about, *format);
  const auto nearest = std::min_element(sizes.begin(), sizes.end(),
                                        [&](Size one, Size other) { return apart(one, asked) < apart(other, asked); });
  return {format, *nearest};
}

Layout nearest_output(const v4l2_pix_format& wanted) {
  const PixelFormat* format = find_pixel_format(wanted.pixelformat);
  format = format == nullptr || format->compressed() ? &pixel_formats().front() : format;  // which is raw
  return {format, fitting(*format, {wanted.width, wanted.height})};
}

Rate nearest_rate(const About& about, const v4l2_fract& per_frame) {
  const std::vector<Rate> rates = capture_rates(about);
  if (per_frame.numerator == 0 || per_frame.denominator == 0) {
    return rates.front();
  }
  if (about.any_size) {
    const bool too_high = per_frame.denominator / kMostRate > per_frame.numerator;
    const bool too_low = per_frame.numerator > per_frame.denominator;
    return too_high || too_low ? Rate{too_low ? 1U : kMostRate, 1} : Rate{per_frame.denominator, per_frame.numerator};
  }
  const double wanted = static_cast<double>(per_frame.numerator) / per_frame.denominator;  // seconds
  const auto off = [wanted](const Rate& rate) {
    return std::abs(wanted - static_cast<double>(rate.denominator) / rate.numerator);
  };
  return *std::min_element(rates.begin(), rates.end(),
                           [&](const Rate& one, const Rate& other) { return off(one) < off(other); });
}

OpenFormats usual_formats(const About& about) {
  v4l2_pix_format own{};
  own.width = about.size.width;
  own.height = about.size.height;
  const Layout capture = nearest_capture(about, own);
  return {.capture = capture, .capture_rate = about.rate, .output = nearest_output(own), .output_rate = about.rate};
}

void take_colours(const v4l2_pix_format& asked, v4l2_pix_format& format) {
  if (asked.colorspace != V4L2_COLORSPACE_DEFAULT) {
    format.colorspace = asked.colorspace;
  }
  if (asked.priv == V4L2_PIX_FMT_PRIV_MAGIC) {
    format.ycbcr_enc = asked.ycbcr_enc;
    format.quantization = asked.quantization;
    format.xfer_func = asked.xfer_func;
  }
}

Colours colours_of(const v4l2_pix_format& format) {
  Colours colours;
  const std::uint32_t encoding = format.ycbcr_enc == V4L2_YCBCR_ENC_DEFAULT
                                     ? static_cast<std::uint32_t>(V4L2_MAP_YCBCR_ENC_DEFAULT(format.colorspace))
                                     : format.ycbcr_enc;
  if (encoding == V4L2_YCBCR_ENC_709 || encoding == V4L2_YCBCR_ENC_XV709) {
    colours.matrix = AVCOL_SPC_BT709;
  } else if (encoding == V4L2_YCBCR_ENC_BT2020 || encoding == V4L2_YCBCR_ENC_BT2020_CONST_LUM) {
    colours.matrix = AVCOL_SPC_BT2020_NCL;
  }
  const bool full = format.quantization == V4L2_QUANTIZATION_FULL_RANGE ||
                    (format.quantization == V4L2_QUANTIZATION_DEFAULT && format.colorspace == V4L2_COLORSPACE_JPEG);
  colours.range = full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_UNSPECIFIED;
  return colours;
}

v4l2_pix_format pix_format_of(const Layout& layout) {
  v4l2_pix_format format{};
  format.width = layout.size.width;
  format.height = layout.size.height;
  format.pixelformat = layout.format->fourcc;
  format.field = V4L2_FIELD_NONE;
  format.bytesperline = layout.bytes_per_line();
  format.sizeimage = static_cast<std::uint32_t>(layout.bytes());
  // Which is BT.601 and limited range for YUV, by default; JPEG's is full.
  format.colorspace = layout.format->compressed() ? V4L2_COLORSPACE_JPEG : V4L2_COLORSPACE_SRGB;
  format.priv = V4L2_PIX_FMT_PRIV_MAGIC;
  return format;
}

v4l2_fract per_frame_of(const Rate& rate) {
  return {.numerator = rate.denominator, .denominator = rate.numerator};
}

}  // namespace dmmap::camera
