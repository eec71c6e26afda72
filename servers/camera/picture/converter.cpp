#include "servers/camera/picture/converter.h"

#include <fmt/format.h>
#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>

#include "servers/camera/picture/av.h"

extern "C" {
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
}

namespace dmmap::camera {

namespace {

constexpr std::size_t kMostConversions = 16;
constexpr int kJpegQuality = 85;
constexpr int kPlanes = 4;  // libavutil's most

const char* name_of(int av_format) {
  const char* const name = av_get_pix_fmt_name(static_cast<AVPixelFormat>(av_format));
  return name == nullptr ? "no known format" : name;
}

// libavutil has names of their own for YUV of full range; libswscale is told apart from the format's own name.
struct Range {
  int format = AV_PIX_FMT_NONE;
  bool full = false;
};
Range range_of(int format, int color_range) {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P:
      return {AV_PIX_FMT_YUV420P, true};
    case AV_PIX_FMT_YUVJ422P:
      return {AV_PIX_FMT_YUV422P, true};
    case AV_PIX_FMT_YUVJ444P:
      return {AV_PIX_FMT_YUV444P, true};
    case AV_PIX_FMT_YUVJ440P:
      return {AV_PIX_FMT_YUV440P, true};
    default:
      return {format, color_range == AVCOL_RANGE_JPEG};
  }
}

bool is_rgb(int format) {
  const AVPixFmtDescriptor* const about = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(format));
  return about != nullptr && (about->flags & AV_PIX_FMT_FLAG_RGB) != 0;
}

// libswscale makes many pixels at a time, and goes beyond a line's end where that isn't a multiple of them, and so
// beyond the last line's. What lies there is somebody else's.
bool stays_within(Size size) {
  constexpr unsigned kAtOnce = 64;
  return size.width % kAtOnce == 0;
}

// Where its quick ways can be taken.
bool goes_quickly(Size size) {
  return stays_within(size) && size.height % 2 == 0;
}

bool is_packed_422(int format) {
  return format == AV_PIX_FMT_YUYV422 || format == AV_PIX_FMT_UYVY422;
}
bool is_rgb24(int format) {
  return format == AV_PIX_FMT_RGB24 || format == AV_PIX_FMT_BGR24;
}

// A format between two others of one size: libswscale has quick ways to it and from it, and none from the one to the
// other. AV_PIX_FMT_NONE where there's nothing to be gained, and for sizes at which the quick ways, which take many
// pixels at a time, would go beyond a line's end.
int way_between(int from, int to, Size size) {
  if (!is_packed_422(from) || from == to || !goes_quickly(size)) {
    return AV_PIX_FMT_NONE;
  }
  if (is_packed_422(to) || is_rgb24(to)) {
    return AV_PIX_FMT_YUV422P;
  }
  return to == AV_PIX_FMT_NV12 ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_NONE;
}

// From limited range, in place.
void stretch_plane(const AVFrame& picture, std::size_t plane, int width, int height) {
  constexpr int kLeast = 16;
  constexpr int kGrey = 128;
  constexpr int kFull = 255;
  std::array<std::uint8_t, kFull + 1> table{};
  for (int level = 0; level <= kFull; ++level) {
    const double stretched =
        plane == 0 ? (level - kLeast) * 255.0 / 219 : (level - kGrey) * 255.0 / 224 + kGrey;  // ITU-R BT.601
    table.at(static_cast<std::size_t>(level)) =
        static_cast<std::uint8_t>(std::clamp(static_cast<int>(std::lround(stretched)), 0, kFull));
  }
  for (int line = 0; line < height; ++line) {
    const std::span bytes(picture.data[plane] + std::ptrdiff_t{line} * picture.linesize[plane],  // NOLINT
                          static_cast<std::size_t>(width));
    for (std::uint8_t& each : bytes) {
      each = table[each];  // NOLINT(*-constant-array-index)
    }
  }
}
void stretch(const AVFrame& yuv420) {
  stretch_plane(yuv420, 0, yuv420.width, yuv420.height);
  for (const std::size_t plane : {1U, 2U}) {
    stretch_plane(yuv420, plane, (yuv420.width + 1) / 2, (yuv420.height + 1) / 2);
  }
}

}  // namespace

// Where a picture's planes are, and of which kind they are.
struct Converter::Planes {
  int format = AV_PIX_FMT_NONE;
  bool full_range = false;
  Size size;
  std::array<std::uint8_t*, kPlanes> data{};
  std::array<int, kPlanes> lines{};
};

struct Converter::Conversion {
  int from = AV_PIX_FMT_NONE;
  bool from_full = false;
  int from_matrix = AVCOL_SPC_UNSPECIFIED;
  Size from_size;
  int to = AV_PIX_FMT_NONE;
  bool to_full = false;
  Size to_size;
  bool quick = false;
  Scaler scaler;

  /// Null when libswscale can't.
  [[nodiscard]] Scaler make() const {
    // Before it knows the ranges libswscale chooses whether bytes only have to be moved, as from YUYV to YUV 4:2:0 of
    // the same size, or from grey to RGB, and keeps to that. So that it doesn't where the range is another one, it's
    // given a filter that changes nothing.
    std::array<double, 3> unchanged{0, 1, 0};
    SwsVector across{.coeff = unchanged.data(), .length = static_cast<int>(unchanged.size())};
    SwsFilter filter{.lumH = &across, .lumV = nullptr, .chrH = &across, .chrV = nullptr};
    const bool other_range = from_full != to_full && !is_rgb(from) && (!is_rgb(to) || from == AV_PIX_FMT_GRAY8);
    Scaler made(sws_getContext(
        static_cast<int>(from_size.width), static_cast<int>(from_size.height), static_cast<AVPixelFormat>(from),
        static_cast<int>(to_size.width), static_cast<int>(to_size.height), static_cast<AVPixelFormat>(to),
        SWS_BILINEAR | (quick ? 0 : SWS_ACCURATE_RND), other_range ? &filter : nullptr, nullptr, nullptr));
    if (!made) {
      return made;
    }
    const int matrix = from_matrix == AVCOL_SPC_UNSPECIFIED ? SWS_CS_ITU601 : from_matrix;
    constexpr int kUnchanged = 1 << 16;
    // Where neither is YUV there's nothing to set, which it says by an error.
    static_cast<void>(sws_setColorspaceDetails(made.get(), sws_getCoefficients(matrix), from_full ? 1 : 0,
                                               sws_getCoefficients(SWS_CS_ITU601), to_full ? 1 : 0, 0, kUnchanged,
                                               kUnchanged));
    return made;
  }
  [[nodiscard]] bool same(const Conversion& other) const {
    return from == other.from && from_full == other.from_full && from_matrix == other.from_matrix &&
           from_size == other.from_size && to == other.to && to_full == other.to_full && to_size == other.to_size &&
           quick == other.quick;
  }
};

// Kept from one time to the next.
struct Converter::Between {
  NewPicture picture;
  const NewPicture& of(int format, Size size) {
    if (!picture || picture->format != format || size_of(*picture) != size) {
      picture = new_picture(format, size);
    }
    return picture;
  }
};

struct Converter::Jpeg {
  struct Destroy {
    void operator()(void* each) const { tjDestroy(each); }
  };
  std::unique_ptr<void, Destroy> compressor{tjInitCompress()};
  Between yuv;  // what a picture is before it's compressed
};

Converter::Converter()
    : between_(std::make_unique<Between>()),
      to_(std::make_unique<Between>()),
      jpeg_(std::make_unique<Jpeg>()),
      jpeg_quality_(kJpegQuality) {}
Converter::~Converter() = default;

bool Converter::is_native(const AVFrame& picture, const Layout& layout) {
  return !layout.format->compressed() && picture.format == layout.format->av && size_of(picture) == layout.size &&
         !range_of(picture.format, picture.color_range).full;
}

Converter::Planes Converter::planes_of(const AVFrame& picture, bool full_range) {
  Planes planes{.format = picture.format, .full_range = full_range, .size = size_of(picture)};
  std::copy_n(picture.data, kPlanes, planes.data.begin());
  std::copy_n(picture.linesize, kPlanes, planes.lines.begin());
  return planes;
}

Result<void> Converter::scale(const AVFrame& picture, const Planes& to) {
  const int between = size_of(picture) == to.size ? way_between(picture.format, to.format, to.size) : AV_PIX_FMT_NONE;
  if (between == AV_PIX_FMT_NONE) {
    return scale_at_once(picture, to);
  }
  const NewPicture& first = between_->of(between, to.size);
  if (auto scaled = scale_at_once(picture, planes_of(*first, false)); !scaled) {
    return scaled;
  }
  return scale_at_once(*first, to);
}

Result<void> Converter::scale_at_once(const AVFrame& picture, const Planes& to) {
  // Its quick ways from planar YUV to RGB aren't taken with SWS_ACCURATE_RND, with which white becomes 253.
  const bool planar = picture.format == AV_PIX_FMT_YUV420P || picture.format == AV_PIX_FMT_YUV422P;
  const bool quick = planar && is_rgb24(to.format) && size_of(picture) == to.size && goes_quickly(to.size);
  const Range range = range_of(picture.format, picture.color_range);
  Conversion wanted{.from = range.format,
                    .from_full = range.full || is_rgb(range.format),
                    .from_matrix = picture.colorspace,
                    .from_size = size_of(picture),
                    .to = to.format,
                    .to_full = to.full_range || is_rgb(to.format),
                    .to_size = to.size,
                    .quick = quick,
                    .scaler = {}};
  auto found =
      std::find_if(conversions_.begin(), conversions_.end(), [&](const Conversion& each) { return each.same(wanted); });
  if (found == conversions_.end()) {
    wanted.scaler = wanted.make();
    if (!wanted.scaler) {
      return fail(EINVAL,
                  fmt::format("a picture of {}x{} in {} can't become one of {}x{} in {}", picture.width, picture.height,
                              name_of(picture.format), to.size.width, to.size.height, name_of(to.format)));
    }
    conversions_.push_front(std::move(wanted));
    found = conversions_.begin();
    if (conversions_.size() > kMostConversions) {
      conversions_.pop_back();
    }
  } else {
    conversions_.splice(conversions_.begin(), conversions_, found);
  }
  const int lines = sws_scale(found->scaler.get(), picture.data, picture.linesize, 0, picture.height, to.data.data(),
                              to.lines.data());
  return lines == static_cast<int>(to.size.height) ? Result<void>()
                                                   : fail(EIO, "libswscale didn't convert a picture to its end");
}

Result<std::size_t> Converter::convert(const AVFrame& picture, const Layout& layout, std::span<std::byte> to) {
  if (layout.format->compressed()) {
    return compress(picture, layout, to);
  }
  Planes planes{.format = layout.format->av, .full_range = false, .size = layout.size};
  auto* const start = static_cast<std::uint8_t*>(static_cast<void*>(to.data()));
  const auto format = static_cast<AVPixelFormat>(planes.format);
  const int width = static_cast<int>(layout.size.width);
  const int height = static_cast<int>(layout.size.height);
  const int size = av_image_fill_arrays(planes.data.data(), planes.lines.data(), start, format, width, height, 1);
  if (size < 0 || static_cast<std::size_t>(size) > to.size()) {
    return fail(EINVAL, "a buffer that is shorter than a picture");
  }
  if (is_native(picture, layout)) {
    av_image_copy(planes.data.data(), planes.lines.data(), const_cast<const std::uint8_t**>(picture.data),  // NOLINT
                  picture.linesize, format, width, height);
    return static_cast<std::size_t>(size);
  }
  if (stays_within(layout.size)) {
    const auto scaled = scale(picture, planes);
    return scaled ? Result<std::size_t>(static_cast<std::size_t>(size)) : tl::unexpected(scaled.error());
  }
  const NewPicture& padded = to_->of(planes.format, layout.size);
  if (auto scaled = scale(picture, planes_of(*padded, false)); !scaled) {
    return tl::unexpected(scaled.error());
  }
  av_image_copy(planes.data.data(), planes.lines.data(), const_cast<const std::uint8_t**>(padded->data),  // NOLINT
                padded->linesize, format, width, height);
  return static_cast<std::size_t>(size);
}

Result<Picture> Converter::convert(const Picture& picture, int av_format, Size size) {
  if (picture->format == av_format && size_of(*picture) == size) {
    return picture;
  }
  NewPicture converted = new_picture(av_format, size);
  if (auto scaled = scale(*picture, planes_of(*converted, false)); !scaled) {
    return tl::unexpected(scaled.error());
  }
  return Picture(std::move(converted));
}

Result<std::size_t> Converter::compress(const AVFrame& picture, const Layout& layout, std::span<std::byte> to) {
  if (!jpeg_->compressor) {
    return fail(ENOMEM, "libjpeg-turbo has no memory");
  }
  const NewPicture& yuv = jpeg_->yuv.of(AV_PIX_FMT_YUV420P, layout.size);
  // JPEG's YUV is of full range, which a picture of libav's seldom is. libswscale would take ten times as long for it.
  const bool full = !is_rgb(picture.format) && range_of(picture.format, picture.color_range).full;
  if (auto scaled = scale(picture, planes_of(*yuv, full)); !scaled) {
    return tl::unexpected(scaled.error());
  }
  if (!full) {
    stretch(*yuv);
  }
  // It takes for granted that there's so much room.
  if (tjBufSize(yuv->width, yuv->height, TJSAMP_420) > to.size()) {
    return fail(EINVAL, "a buffer that is shorter than a JPEG may be");
  }
  const std::array<const unsigned char*, 3> lines{yuv->data[0], yuv->data[1], yuv->data[2]};
  auto* out = static_cast<unsigned char*>(static_cast<void*>(to.data()));
  unsigned long size = to.size();
  if (tjCompressFromYUVPlanes(jpeg_->compressor.get(), const_cast<const unsigned char**>(lines.data()),  // NOLINT
                              yuv->width, yuv->linesize, yuv->height, TJSAMP_420, &out, &size, jpeg_quality_,
                              TJFLAG_NOREALLOC) != 0) {
    return fail(EIO, fmt::format("a JPEG can't be made: {}", tjGetErrorStr2(jpeg_->compressor.get())));
  }
  return size;
}

}  // namespace dmmap::camera
