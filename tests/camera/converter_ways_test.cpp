#include <gtest/gtest.h>
#include <linux/videodev2.h>
#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "camera/colours.h"
#include "servers/camera/picture/av.h"
#include "servers/camera/picture/converter.h"

namespace dmmap::camera {
namespace {

struct Colour {
  int y;
  int u;
  int v;
};
// White, black, grey, and the bars' colours, in limited range.
constexpr std::array kColours{Colour{235, 128, 128}, Colour{16, 128, 128}, Colour{126, 128, 128},
                              Colour{81, 90, 240},   Colour{145, 54, 34},  Colour{41, 240, 110},
                              Colour{210, 16, 146},  Colour{106, 202, 222}};
constexpr Size kSize{256, 64};

NewPicture filled(int format, const Colour& colour) {
  NewPicture picture = new_picture(format, kSize);
  const auto height = static_cast<int>(kSize.height);
  for (int y = 0; y < height; ++y) {
    std::uint8_t* const line = picture->data[0] + std::ptrdiff_t{y} * picture->linesize[0];
    if (format == AV_PIX_FMT_YUYV422) {
      for (std::size_t x = 0; x < kSize.width * 2U; x += 4) {
        line[x] = line[x + 2] = static_cast<std::uint8_t>(colour.y);
        line[x + 1] = static_cast<std::uint8_t>(colour.u);
        line[x + 3] = static_cast<std::uint8_t>(colour.v);
      }
    } else {  // YUV420P
      std::fill_n(line, kSize.width, static_cast<std::uint8_t>(colour.y));
      std::fill_n(picture->data[1] + std::ptrdiff_t{y / 2} * picture->linesize[1], kSize.width / 2,
                  static_cast<std::uint8_t>(colour.u));
      std::fill_n(picture->data[2] + std::ptrdiff_t{y / 2} * picture->linesize[2], kSize.width / 2,
                  static_cast<std::uint8_t>(colour.v));
    }
  }
  return picture;
}

NewPicture noise(int format) {
  NewPicture picture = filled(format, kColours[2]);
  std::mt19937 numbers(7);  // NOLINT(*-msc51-cpp): the same each time
  for (std::size_t y = 0; y < kSize.height; ++y) {
    std::generate_n(picture->data[0] + static_cast<std::ptrdiff_t>(y) * picture->linesize[0], kSize.width * 2U,
                    [&] { return static_cast<std::uint8_t>(16 + numbers() % 220); });
  }
  return picture;
}

std::vector<std::uint8_t> converted(Converter& converter, const AVFrame& picture, std::uint32_t fourcc,
                                    Size size = kSize) {
  const Layout layout{find_pixel_format(fourcc), size};
  std::vector<std::uint8_t> bytes(layout.bytes());
  const auto length = converter.convert(picture, layout, std::as_writable_bytes(std::span(bytes)));
  EXPECT_TRUE(length) << length.error().message;
  bytes.resize(length.value_or(0));
  return bytes;
}

int limited(double value) {
  return std::clamp(static_cast<int>(std::lround(value)), 0, 255);
}

// ITU-R BT.601.
std::array<int, 3> rgb_of(const Colour& colour) {
  const double y = (colour.y - 16) * 255.0 / 219;
  const double u = (colour.u - 128) * 255.0 / 224;
  const double v = (colour.v - 128) * 255.0 / 224;
  return {limited(y + 1.402 * v), limited(y - 0.344136 * u - 0.714136 * v), limited(y + 1.772 * u)};
}

TEST(ConverterWaysTest, RgbIsThatOfBt601) {
  Converter converter;
  for (const int from : {AV_PIX_FMT_YUYV422, AV_PIX_FMT_YUV420P}) {
    for (const Colour& colour : kColours) {
      const NewPicture picture = filled(from, colour);
      const auto rgb = converted(converter, *picture, V4L2_PIX_FMT_RGB24);
      const auto bgr = converted(converter, *picture, V4L2_PIX_FMT_BGR24);
      const auto wanted = rgb_of(colour);
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_NEAR(rgb[i], wanted.at(i), 2) << "of " << colour.y << ',' << colour.u << ',' << colour.v;
        EXPECT_EQ(bgr[2 - i], rgb[i]);
      }
    }
  }
}

TEST(ConverterWaysTest, WhiteIsWhite) {
  Converter converter;
  const auto rgb = converted(converter, *filled(AV_PIX_FMT_YUYV422, kColours[0]), V4L2_PIX_FMT_RGB24);
  EXPECT_TRUE(std::all_of(rgb.begin(), rgb.end(), [](std::uint8_t each) { return each == 255; }));
}

TEST(ConverterWaysTest, PackedFormatsHaveTheSameBytesInOtherOrder) {
  Converter converter;
  const NewPicture picture = noise(AV_PIX_FMT_YUYV422);
  const auto same = converted(converter, *picture, V4L2_PIX_FMT_YUYV);
  const auto turned = converted(converter, *picture, V4L2_PIX_FMT_UYVY);
  ASSERT_EQ(same.size(), turned.size());
  for (std::size_t i = 0; i < same.size(); i += 2) {
    ASSERT_EQ(same[i], turned[i + 1]);
    ASSERT_EQ(same[i + 1], turned[i]);
  }
}

TEST(ConverterWaysTest, Nv12HasThePlanesOfYu12) {
  Converter converter;
  const NewPicture picture = noise(AV_PIX_FMT_YUYV422);
  const auto planar = converted(converter, *picture, V4L2_PIX_FMT_YUV420);
  const auto woven = converted(converter, *picture, V4L2_PIX_FMT_NV12);
  const std::size_t luma = std::size_t{kSize.width} * kSize.height;
  ASSERT_EQ(planar.size(), woven.size());
  EXPECT_TRUE(std::equal(planar.begin(), planar.begin() + luma, woven.begin()));
  for (std::size_t i = 0; i < luma / 4; ++i) {
    ASSERT_EQ(woven[luma + 2 * i], planar[luma + i]);
    ASSERT_EQ(woven[luma + 2 * i + 1], planar[luma + luma / 4 + i]);
  }
}

// The planes of a JPEG.
std::array<int, 3> first_of_jpeg(const std::vector<std::uint8_t>& jpeg) {
  const std::unique_ptr<void, int (*)(void*)> reader(tjInitDecompress(), tjDestroy);
  std::vector<unsigned char> bytes(tjBufSizeYUV2(kSize.width, 1, kSize.height, TJSAMP_420));
  EXPECT_EQ(tjDecompressToYUV2(reader.get(), jpeg.data(), jpeg.size(), bytes.data(), kSize.width, 1, kSize.height, 0),
            0);
  const std::size_t luma = std::size_t{kSize.width} * kSize.height;
  return {bytes[0], bytes[luma], bytes[luma + luma / 4]};
}

TEST(ConverterWaysTest, JpegIsOfFullRange) {
  Converter converter;
  for (const int from : {AV_PIX_FMT_YUYV422, AV_PIX_FMT_YUV420P}) {
    for (const Colour& colour : kColours) {
      const auto got = first_of_jpeg(converted(converter, *filled(from, colour), V4L2_PIX_FMT_MJPEG));
      EXPECT_NEAR(got[0], limited((colour.y - 16) * 255.0 / 219), 2);
      EXPECT_NEAR(got[1], limited((colour.u - 128) * 255.0 / 224 + 128), 2);
      EXPECT_NEAR(got[2], limited((colour.v - 128) * 255.0 / 224 + 128), 2);
    }
  }
}

TEST(ConverterWaysTest, FullRangeIsKeptForJpegAndLimitedForOthers) {
  Converter converter;
  NewPicture picture = filled(AV_PIX_FMT_YUV420P, {255, 128, 128});
  picture->color_range = AVCOL_RANGE_JPEG;
  EXPECT_NEAR(first_of_jpeg(converted(converter, *picture, V4L2_PIX_FMT_MJPEG))[0], 255, 2);
  for (const std::uint32_t fourcc : {V4L2_PIX_FMT_NV12, V4L2_PIX_FMT_YUV420, V4L2_PIX_FMT_YUYV}) {
    EXPECT_NEAR(converted(converter, *picture, fourcc)[0], 235, 1) << find_pixel_format(fourcc)->name;
  }
}

TEST(ConverterWaysTest, SizesAndFormatsOneAfterTheOther) {
  Converter converter;
  const NewPicture picture = filled(AV_PIX_FMT_YUYV422, kColours[3]);
  for (int again = 0; again < 2; ++again) {
    for (const PixelFormat& format : pixel_formats()) {
      for (const Size size : {kSize, Size{128, 32}, Size{64, 64}}) {
        EXPECT_FALSE(converted(converter, *picture, format.fourcc, size).empty()) << format.name;
      }
    }
  }
}

TEST(ConverterWaysTest, QuickWaysStayWithinAPicture) {
  Converter converter;
  for (const Size size : {Size{32, 2}, Size{32, 18}, Size{96, 20}, Size{640, 30}}) {
    for (const std::uint32_t from : {V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_UYVY}) {
      const Layout source{find_pixel_format(from), size};
      const Guarded there(source.bytes());
      const Picture picture = picture_at(source, there.bytes(), nullptr);
      for (const std::uint32_t to :
           {V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_UYVY, V4L2_PIX_FMT_NV12, V4L2_PIX_FMT_RGB24, V4L2_PIX_FMT_BGR24}) {
        const Layout target{find_pixel_format(to), size};
        const Guarded room(target.bytes());
        EXPECT_TRUE(converter.convert(*picture, target, room.bytes()));
      }
    }
  }
}

}  // namespace
}  // namespace dmmap::camera
