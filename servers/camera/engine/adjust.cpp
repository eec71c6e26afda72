#include "servers/camera/engine/adjust.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "servers/camera/picture/av.h"

extern "C" {
#include <libavutil/pixfmt.h>
}

namespace dmmap::camera {

namespace {

constexpr int kLevels = 256;
using Table = std::array<std::uint8_t, kLevels>;

// Each level, `factor` / 128 as far from grey as it was, and `more` brighter.
Table table(int factor, int more) {
  constexpr int kGrey = 128;
  Table result{};
  for (int level = 0; level < kLevels; ++level) {
    const int value = (level - kGrey) * factor / Adjustments::kEven + kGrey + more;
    result.at(static_cast<std::size_t>(level)) = static_cast<std::uint8_t>(std::clamp(value, 0, kLevels - 1));
  }
  return result;
}

void change_plane(const AVFrame& from, AVFrame& to, std::size_t plane, const Table& by, const Adjustments& how) {
  const auto width = static_cast<std::size_t>(from.width);
  for (int line = 0; line < from.height; ++line) {
    const int source = how.upside_down ? from.height - 1 - line : line;
    const std::span in(from.data[plane] + std::ptrdiff_t{source} * from.linesize[plane], width);  // NOLINT
    const std::span out(to.data[plane] + std::ptrdiff_t{line} * to.linesize[plane], width);       // NOLINT
    const auto changed = [&by](std::uint8_t level) { return by[level]; };                         // NOLINT
    if (how.mirrored) {
      std::transform(in.rbegin(), in.rend(), out.begin(), changed);
    } else {
      std::transform(in.begin(), in.end(), out.begin(), changed);
    }
  }
}

}  // namespace

Result<Picture> adjusted(const Picture& picture, const Adjustments& by, Converter& converter) {
  if (by.none()) {
    return picture;
  }
  // Every pixel has its own colour there, so that mirroring shifts none.
  auto yuv = converter.convert(picture, AV_PIX_FMT_YUV444P, size_of(*picture));
  if (!yuv) {
    return yuv;
  }
  NewPicture result = new_picture(AV_PIX_FMT_YUV444P, size_of(*picture));
  // What a picture says that was so already, and so wasn't converted.
  result->color_range = (*yuv)->color_range;
  result->colorspace = (*yuv)->colorspace;
  change_plane(**yuv, *result, 0, table(by.contrast, by.brightness), by);
  const Table colour = table(by.saturation, 0);
  change_plane(**yuv, *result, 1, colour, by);
  change_plane(**yuv, *result, 2, colour, by);
  return Picture(std::move(result));
}

}  // namespace dmmap::camera
