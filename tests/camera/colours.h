// Pictures of known colours in any format, and what a converted one has.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "servers/camera/picture/av.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace dmmap::camera {

/// 0 to 1 each.
struct Colour {
  double red = 0;
  double green = 0;
  double blue = 0;
};
inline constexpr std::array kBars{Colour{1, 1, 1},     Colour{.75, .75, 0}, Colour{0, .75, .75}, Colour{0, .75, 0},
                                  Colour{.75, 0, .75}, Colour{.75, 0, 0},   Colour{0, 0, .75},   Colour{0, 0, 0}};

/// What a pixel is, as its format has it: Y, Cb, Cr or red, green, blue.
using Levels = std::array<int, 3>;

inline std::uint8_t level(double value) {
  return static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L));
}
/// ITU-R BT.601.
inline Levels yuv_of(const Colour& colour, bool full) {
  const double luma = 0.299 * colour.red + 0.587 * colour.green + 0.114 * colour.blue;
  const double blue = (colour.blue - luma) / 1.772;
  const double red = (colour.red - luma) / 1.402;
  return full ? Levels{level(255 * luma), level(128 + 255 * blue), level(128 + 255 * red)}
              : Levels{level(16 + 219 * luma), level(128 + 224 * blue), level(128 + 224 * red)};
}
inline Levels rgb_of(const Colour& colour) {
  return {level(255 * colour.red), level(255 * colour.green), level(255 * colour.blue)};
}

inline bool is_rgb_format(int format) {
  return (av_pix_fmt_desc_get(static_cast<AVPixelFormat>(format))->flags & AV_PIX_FMT_FLAG_RGB) != 0;
}

/// Where a component of a pixel is, by libavutil's description of the format.
inline std::uint8_t* component(const std::array<std::uint8_t*, 4>& data, const std::array<int, 4>& lines, int format,
                               std::size_t which, unsigned x, unsigned y) {
  const AVPixFmtDescriptor& about = *av_pix_fmt_desc_get(static_cast<AVPixelFormat>(format));
  const AVComponentDescriptor& at = about.comp[which];  // NOLINT(*-constant-array-index)
  const bool chroma = which > 0 && !is_rgb_format(format);
  const unsigned column = chroma ? x >> about.log2_chroma_w : x;
  const unsigned line = chroma ? y >> about.log2_chroma_h : y;
  const auto plane = static_cast<std::size_t>(at.plane);
  return data.at(plane) + std::ptrdiff_t{lines.at(plane)} * line + std::ptrdiff_t{at.step} * column + at.offset;
}
inline std::uint8_t* component(const AVFrame& frame, std::size_t which, unsigned x, unsigned y) {
  return component({frame.data[0], frame.data[1], frame.data[2], frame.data[3]},
                   {frame.linesize[0], frame.linesize[1], frame.linesize[2], frame.linesize[3]}, frame.format, which, x,
                   y);
}
inline std::size_t components(int format) {
  return std::size_t{av_pix_fmt_desc_get(static_cast<AVPixelFormat>(format))->nb_components};
}

inline const Colour& bar_at(unsigned x, Size size) {
  return kBars.at(std::size_t{x} * kBars.size() / size.width);
}
/// Upright bars.
inline NewPicture bars(int format, bool full, Size size) {
  NewPicture picture = new_picture(format, size);
  picture->color_range = full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  for (unsigned y = 0; y < size.height; ++y) {
    for (unsigned x = 0; x < size.width; ++x) {
      const Colour& colour = bar_at(x, size);
      const Levels levels = is_rgb_format(format) ? rgb_of(colour) : yuv_of(colour, full);
      for (std::size_t i = 0; i < components(format); ++i) {
        *component(*picture, i, x, y) = static_cast<std::uint8_t>(levels.at(i));
      }
    }
  }
  return picture;
}
/// A component of a pixel of what a program captures.
inline int captured(const Layout& layout, std::span<std::byte> bytes, std::size_t which, unsigned x, unsigned y) {
  std::array<std::uint8_t*, 4> data{};
  std::array<int, 4> lines{};
  auto* const start = static_cast<std::uint8_t*>(static_cast<void*>(bytes.data()));
  av_image_fill_arrays(data.data(), lines.data(), start, static_cast<AVPixelFormat>(layout.format->av),
                       static_cast<int>(layout.size.width), static_cast<int>(layout.size.height), 1);
  return *component(data, lines, layout.format->av, which, x, y);
}

/// Bytes behind which nothing can be read or written.
class Guarded {
 public:
  explicit Guarded(std::size_t size) : size_(size), whole_((size + kPage - 1) / kPage * kPage + kPage) {
    start_ = static_cast<std::byte*>(::mmap(nullptr, whole_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ::mprotect(start_, whole_ - kPage, PROT_READ | PROT_WRITE);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { ::munmap(start_, whole_); }
  [[nodiscard]] std::span<std::byte> bytes() const { return {start_ + (whole_ - kPage - size_), size_}; }

 private:
  static constexpr std::size_t kPage = 4096;
  const std::size_t size_;
  const std::size_t whole_;
  std::byte* start_;
};

/// Bytes that look like nothing, the same ones for the same seed.
inline void scramble(std::span<std::byte> bytes, std::uint32_t seed) {
  std::uint32_t state = seed * 2654435761U + 1;
  for (std::byte& each : bytes) {
    state = state * 1664525U + 1013904223U;
    each = static_cast<std::byte>(state >> 24U);
  }
}

}  // namespace dmmap::camera
