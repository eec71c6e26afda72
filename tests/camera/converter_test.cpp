#include "servers/camera/picture/converter.h"

#include <gtest/gtest.h>
#include <linux/videodev2.h>
#include <turbojpeg.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "camera/colours.h"
#include "servers/camera/picture/av_log.h"
#include "servers/camera/sources/frame_mark.h"

namespace dmmap::camera {
namespace {

std::vector<Layout> raw_layouts(Size size) {
  std::vector<Layout> layouts;
  for (const PixelFormat& each : pixel_formats()) {
    if (!each.compressed()) {
      layouts.push_back({&each, fitting(each, size)});
    }
  }
  return layouts;
}
Layout mjpeg(Size size) {
  return {find_pixel_format(V4L2_PIX_FMT_MJPEG), size};
}

std::vector<std::byte> converted(Converter& converter, const AVFrame& picture, const Layout& layout) {
  std::vector<std::byte> bytes(layout.bytes());
  const auto done = converter.convert(picture, layout, bytes);
  EXPECT_TRUE(done) << (done ? "" : done.error().message);
  EXPECT_LE(done.value_or(0), bytes.size());
  bytes.resize(done.value_or(0));
  return bytes;
}

struct Decoded {
  Size size;
  std::vector<std::uint8_t> rgb;
  [[nodiscard]] int at(unsigned x, unsigned y, std::size_t which) const {
    return rgb.at((std::size_t{y} * size.width + x) * 3 + which);
  }
};
Decoded decode(std::span<const std::byte> jpeg) {
  const std::unique_ptr<void, int (*)(void*)> decoder(tjInitDecompress(), tjDestroy);
  const auto* const bytes = static_cast<const unsigned char*>(static_cast<const void*>(jpeg.data()));
  int width = 0;
  int height = 0;
  int sampling = 0;
  int space = 0;
  EXPECT_EQ(tjDecompressHeader3(decoder.get(), bytes, jpeg.size(), &width, &height, &sampling, &space), 0);
  EXPECT_EQ(sampling, TJSAMP_420);
  Decoded result{{static_cast<unsigned>(width), static_cast<unsigned>(height)}, {}};
  result.rgb.resize(std::size_t{result.size.width} * result.size.height * 3);
  EXPECT_EQ(tjDecompress2(decoder.get(), bytes, jpeg.size(), result.rgb.data(), width, 0, height, TJPF_RGB, 0), 0);
  return result;
}

class ConverterTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { silence_libav(); }
  Converter converter;
};

TEST_F(ConverterTest, WhatIsNativeIsCopiedByteForByte) {
  for (const Size size : {Size{16, 16}, Size{34, 18}, Size{101, 77}}) {
    for (const Layout& layout : raw_layouts(size)) {
      std::vector<std::byte> packed(layout.bytes());
      scramble(packed, size.width);
      const Picture picture = picture_at(layout, packed, nullptr);
      EXPECT_TRUE(Converter::is_native(*picture, layout)) << layout.format->name;
      EXPECT_EQ(converted(converter, *picture, layout), packed) << layout.format->name << " " << size.width;
    }
  }
}

TEST_F(ConverterTest, LinesMayBeFarApartOrUpsideDown) {
  constexpr std::size_t kApart = 13;
  for (const Layout& layout : raw_layouts({38, 22})) {
    std::vector<std::byte> packed(layout.bytes());
    scramble(packed, 3);
    const Picture straight = picture_at(layout, packed, nullptr);
    AvFrame odd(av_frame_alloc());
    odd->format = straight->format;
    odd->width = straight->width;
    odd->height = straight->height;
    std::vector<std::vector<std::uint8_t>> planes;
    const AVPixFmtDescriptor& about = *av_pix_fmt_desc_get(static_cast<AVPixelFormat>(odd->format));
    for (int i = 0; i < av_pix_fmt_count_planes(static_cast<AVPixelFormat>(odd->format)); ++i) {
      const auto lines = static_cast<std::size_t>(i == 0 ? odd->height : odd->height >> about.log2_chroma_h);
      const auto line = static_cast<std::size_t>(straight->linesize[i]);
      std::vector<std::uint8_t>& plane = planes.emplace_back((line + kApart) * lines);
      for (std::size_t y = 0; y < lines; ++y) {
        std::copy_n(straight->data[i] + y * line, line,
                    plane.begin() + static_cast<std::ptrdiff_t>((lines - 1 - y) * (line + kApart)));
      }
      odd->linesize[i] = -static_cast<int>(line + kApart);
      odd->data[i] = plane.data() + (lines - 1) * (line + kApart);
    }
    EXPECT_EQ(converted(converter, *odd, layout), packed) << layout.format->name;
    const Layout other = mjpeg({38, 22});
    EXPECT_EQ(converted(converter, *odd, other), converted(converter, *straight, other)) << layout.format->name;
  }
}

TEST_F(ConverterTest, ColoursAreRightFromEachIntoEach) {
  constexpr Size kSize{256, 32};
  const struct {
    const char* name;
    int format;
    bool full;
  } sources[] = {{"YUYV", AV_PIX_FMT_YUYV422, false},        {"YUV420P", AV_PIX_FMT_YUV420P, false},
                 {"full YUV420P", AV_PIX_FMT_YUV420P, true}, {"YUVJ420P", AV_PIX_FMT_YUVJ420P, true},
                 {"RGB24", AV_PIX_FMT_RGB24, false},         {"full YUV444P", AV_PIX_FMT_YUV444P, true},
                 {"YUVJ444P", AV_PIX_FMT_YUVJ444P, true},    {"YUVJ422P", AV_PIX_FMT_YUVJ422P, true},
                 {"full YUYV", AV_PIX_FMT_YUYV422, true},    {"UYVY", AV_PIX_FMT_UYVY422, false},
                 {"full RGB24", AV_PIX_FMT_RGB24, true},     {"GBRP", AV_PIX_FMT_GBRP, true},
                 {"YUV444P", AV_PIX_FMT_YUV444P, false}};
  for (const auto& source : sources) {
    const NewPicture picture = bars(source.format, source.full, kSize);
    for (const Layout& layout : raw_layouts(kSize)) {
      std::vector<std::byte> bytes = converted(converter, *picture, layout);
      ASSERT_EQ(bytes.size(), layout.bytes());
      // libswscale's quick ways to RGB are less exact than others.
      const int near = is_rgb_format(layout.format->av) ? 3 : 2;
      for (unsigned bar = 0; bar < kBars.size(); ++bar) {
        const unsigned x = bar * 32 + 16;
        const Levels wanted = is_rgb_format(layout.format->av) ? rgb_of(kBars.at(bar)) : yuv_of(kBars.at(bar), false);
        for (std::size_t i = 0; i < components(layout.format->av); ++i) {
          EXPECT_NEAR(captured(layout, bytes, i, x, 16), wanted.at(i), near)
              << source.name << " as " << layout.format->name << ", bar " << bar << ", component " << i;
        }
      }
    }
  }
}

TEST_F(ConverterTest, GreyIsOfLimitedRangeToo) {
  constexpr Size kSize{256, 32};
  for (const bool full : {false, true}) {
    const NewPicture picture = bars(AV_PIX_FMT_GRAY8, full, kSize);
    for (const Layout& layout : raw_layouts(kSize)) {
      std::vector<std::byte> bytes = converted(converter, *picture, layout);
      for (unsigned bar = 0; bar < kBars.size(); ++bar) {
        const double luma = (yuv_of(kBars.at(bar), false)[0] - 16) / 219.0;
        const Colour grey{luma, luma, luma};
        const int wanted = (is_rgb_format(layout.format->av) ? rgb_of(grey) : yuv_of(grey, false))[0];
        EXPECT_NEAR(captured(layout, bytes, 0, bar * 32 + 16, 16), wanted, 2)
            << (full ? "full" : "limited") << " as " << layout.format->name << ", bar " << bar;
      }
    }
    const Decoded decoded = decode(converted(converter, *picture, mjpeg(kSize)));
    EXPECT_NEAR(decoded.at(16, 16, 0), 255, 2);
    EXPECT_NEAR(decoded.at(7 * 32 + 16, 16, 0), 0, 2);
  }
}

TEST_F(ConverterTest, ColoursOfAnotherMatrixAreTakenForWhatTheyAre) {
  // White's luma and 75 % green's by ITU-R BT.709.
  NewPicture picture = new_picture(AV_PIX_FMT_YUV444P, {32, 32});
  picture->colorspace = AVCOL_SPC_BT709;
  for (unsigned y = 0; y < 32; ++y) {
    for (unsigned x = 0; x < 32; ++x) {
      const Levels green{level(16 + 219 * .75 * .7152), level(128 - 224 * .75 * .7152 / 1.8556),
                         level(128 - 224 * .75 * .7152 / 1.5748)};
      for (std::size_t i = 0; i < 3; ++i) {
        *component(*picture, i, x, y) = static_cast<std::uint8_t>(green.at(i));
      }
    }
  }
  const Layout layout{find_pixel_format(V4L2_PIX_FMT_RGB24), {32, 32}};
  std::vector<std::byte> bytes = converted(converter, *picture, layout);
  const Levels wanted = rgb_of({0, .75, 0});
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(captured(layout, bytes, i, 16, 16), wanted.at(i), 3) << i;
  }
}

TEST_F(ConverterTest, AMarkCanBeReadFromAScaledPicture) {
  constexpr Size kFrom{640, 480};
  constexpr std::uint32_t kNumber = 0xdeadbeef;
  const NewPicture picture = bars(AV_PIX_FMT_YUV420P, false, kFrom);
  draw_frame_marks(picture->data[0], picture->linesize[0], kFrom, kNumber);
  for (const Size size : {Size{320, 240}, Size{1280, 960}, Size{640, 360}, Size{352, 288}}) {
    const Layout yuyv{find_pixel_format(V4L2_PIX_FMT_YUYV), size};
    const std::vector<std::byte> bytes = converted(converter, *picture, yuyv);
    const auto* const luma = static_cast<const std::uint8_t*>(static_cast<const void*>(bytes.data()));
    EXPECT_EQ(read_frame_mark(luma, std::ptrdiff_t{2} * size.width, size, 2), kNumber) << size.width;
    const Decoded decoded = decode(converted(converter, *picture, mjpeg(size)));
    EXPECT_EQ(decoded.size, size);
    EXPECT_EQ(read_frame_mark(decoded.rgb.data() + 1, std::ptrdiff_t{3} * size.width, size, 3), kNumber) << size.width;
  }
}

TEST_F(ConverterTest, AJpegShowsThePicture) {
  constexpr Size kSize{256, 64};
  constexpr int kNear = 6;
  for (const auto& [format, full] : {std::pair{AV_PIX_FMT_YUYV422, false}, std::pair{AV_PIX_FMT_RGB24, false},
                                     std::pair{AV_PIX_FMT_YUVJ420P, true}}) {
    const Decoded decoded = decode(converted(converter, *bars(format, full, kSize), mjpeg(kSize)));
    ASSERT_EQ(decoded.size, kSize);
    for (unsigned bar = 0; bar < kBars.size(); ++bar) {
      const Levels wanted = rgb_of(kBars.at(bar));
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_NEAR(decoded.at(bar * 32 + 16, 32, i), wanted.at(i), kNear) << format << ", bar " << bar;
      }
    }
  }
}

TEST_F(ConverterTest, AJpegIsNeverLongerThanItsLayoutSays) {
  for (const Size size : {Size{16, 16}, Size{18, 16}, Size{34, 50}, Size{322, 242}}) {
    const Layout layout = mjpeg(size);
    EXPECT_GE(layout.bytes(), tjBufSize(static_cast<int>(size.width), static_cast<int>(size.height), TJSAMP_420));
    NewPicture noise = new_picture(AV_PIX_FMT_RGB24, size);
    for (unsigned y = 0; y < size.height; ++y) {
      scramble(
          std::as_writable_bytes(std::span(noise->data[0] + std::ptrdiff_t{y} * noise->linesize[0], size.width * 3)),
          y);
    }
    std::size_t shorter = 0;
    for (const int quality : {1, 50, 100}) {
      converter.set_jpeg_quality(quality);
      const Guarded room(layout.bytes());
      const auto done = converter.convert(*noise, layout, room.bytes());
      ASSERT_TRUE(done) << done.error().message;
      EXPECT_LE(*done, layout.bytes());
      EXPECT_GT(*done, shorter) << "better ones take more";
      shorter = *done;
      EXPECT_EQ(decode(room.bytes().first(*done)).size, size);
    }
  }
}

TEST_F(ConverterTest, NothingIsReadOrWrittenBeyondAPicture) {
  for (const Size from : {Size{16, 16}, Size{17, 19}, Size{34, 50}, Size{642, 22}, Size{64, 17}, Size{640, 18}}) {
    for (const Layout& source : raw_layouts(from)) {
      const Guarded there(source.bytes() + kRoomBehind);
      scramble(there.bytes(), from.width);
      const Picture picture = picture_at(source, there.bytes(), nullptr);
      for (const Size to : {from, Size{16, 16}, Size{23, 31}, Size{358, 18}, Size{192, 20}}) {
        std::vector<Layout> targets = raw_layouts(to);
        targets.push_back(mjpeg(fitting(*find_pixel_format(V4L2_PIX_FMT_MJPEG), to)));
        for (const Layout& target : targets) {
          const Guarded room(target.bytes());
          const auto done = converter.convert(*picture, target, room.bytes());
          ASSERT_TRUE(done) << done.error().message;
          EXPECT_TRUE(target.format->compressed() || *done == target.bytes());
        }
      }
    }
  }
}

TEST_F(ConverterTest, ABufferThatIsTooShortIsRefused) {
  const NewPicture picture = bars(AV_PIX_FMT_YUYV422, false, {32, 32});
  for (Layout layout : {Layout{find_pixel_format(V4L2_PIX_FMT_YUYV), {32, 32}}, mjpeg({32, 32})}) {
    std::vector<std::byte> bytes(layout.bytes() - 1);
    const auto done = converter.convert(*picture, layout, bytes);
    ASSERT_FALSE(done) << layout.format->name;
    EXPECT_EQ(done.error().code, EINVAL);
  }
}

TEST_F(ConverterTest, MoreConversionsThanAreKeptComeOutTheSame) {
  const NewPicture picture = bars(AV_PIX_FMT_YUV420P, false, {320, 240});
  std::vector<std::pair<Layout, std::vector<std::byte>>> expected;
  for (unsigned i = 0; i < 24; ++i) {
    const Layout layout{find_pixel_format(i % 2 == 0 ? V4L2_PIX_FMT_YUYV : V4L2_PIX_FMT_RGB24), {32 + 2 * i, 30}};
    Converter fresh;
    expected.emplace_back(layout, converted(fresh, *picture, layout));
  }
  for (int round = 0; round < 3; ++round) {
    for (const auto& [layout, bytes] : expected) {
      EXPECT_EQ(converted(converter, *picture, layout), bytes) << layout.size.width << " in round " << round;
    }
  }
}

TEST_F(ConverterTest, OneConversionIsNotTakenForAnother) {
  // Alike but for one thing each.
  const Layout rgb{find_pixel_format(V4L2_PIX_FMT_RGB24), {64, 32}};
  NewPicture limited = bars(AV_PIX_FMT_YUV420P, false, {64, 32});
  const auto as_limited = converted(converter, *limited, rgb);
  limited->color_range = AVCOL_RANGE_JPEG;
  EXPECT_NE(converted(converter, *limited, rgb), as_limited);
  limited->color_range = AVCOL_RANGE_MPEG;
  limited->colorspace = AVCOL_SPC_BT709;
  EXPECT_NE(converted(converter, *limited, rgb), as_limited);
  limited->colorspace = AVCOL_SPC_UNSPECIFIED;
  EXPECT_EQ(converted(converter, *limited, rgb), as_limited);
}

TEST_F(ConverterTest, APictureThatIsSoAlreadyIsItself) {
  const Picture picture = bars(AV_PIX_FMT_YUV444P, false, {32, 32});
  EXPECT_EQ(converter.convert(picture, AV_PIX_FMT_YUV444P, {32, 32}).value(), picture);
  const Picture other = converter.convert(picture, AV_PIX_FMT_YUV444P, {64, 16}).value();
  ASSERT_NE(other, picture);
  EXPECT_EQ(size_of(*other), (Size{64, 16}));
  EXPECT_EQ(converter.convert(picture, AV_PIX_FMT_RGB24, {32, 32}).value()->format, AV_PIX_FMT_RGB24);
}

TEST_F(ConverterTest, WhatCanNotBeConvertedIsRefused) {
  AvFrame frame(av_frame_alloc());
  frame->format = AV_PIX_FMT_VAAPI;
  frame->width = frame->height = 32;
  const Layout layout{find_pixel_format(V4L2_PIX_FMT_RGB24), {32, 32}};
  std::vector<std::byte> bytes(layout.bytes());
  const auto done = converter.convert(*frame, layout, bytes);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, EINVAL);
  EXPECT_NE(done.error().message.find("32x32"), std::string::npos) << done.error().message;
}

}  // namespace
}  // namespace dmmap::camera
