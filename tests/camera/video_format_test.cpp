#include "servers/camera/device/video_format.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>

#include "support/generators.h"

namespace dmmap::camera {
namespace {

constexpr std::uint32_t kMost = 0xffffffff;

v4l2_pix_format wanted(std::uint32_t fourcc, std::uint32_t width, std::uint32_t height) {
  v4l2_pix_format format{};
  format.pixelformat = fourcc;
  format.width = width;
  format.height = height;
  return format;
}
bool has(const std::vector<Size>& sizes, Size size) {
  return std::find(sizes.begin(), sizes.end(), size) != sizes.end();
}

TEST(VideoFormat, TheSourcesOwnFormatIsTheFirstAndEachIsThereOnce) {
  const auto all = pixel_formats();
  for (std::size_t own = 0; own <= all.size(); ++own) {
    const About about{{640, 480}, {30, 1}, own == all.size() ? nullptr : &all[own]};
    EXPECT_EQ(capture_format(about, 0), about.native == nullptr ? all.data() : about.native);
    std::set<const PixelFormat*> seen;
    for (unsigned i = 0; i < all.size(); ++i) {
      ASSERT_NE(capture_format(about, i), nullptr) << i;
      seen.insert(capture_format(about, i));
    }
    EXPECT_EQ(seen.size(), all.size());
    EXPECT_EQ(capture_format(about, static_cast<unsigned>(all.size())), nullptr);
    EXPECT_EQ(capture_format(about, kMost), nullptr);
  }
}

TEST(VideoFormat, WhatIsPutInIsRaw) {
  unsigned count = 0;
  for (; output_format(count) != nullptr; ++count) {
    EXPECT_FALSE(output_format(count)->compressed());
  }
  EXPECT_EQ(count, pixel_formats().size() - 1);
  EXPECT_EQ(output_format(kMost), nullptr);
}

TEST(VideoFormat, WhatIsEnumeratedIsTakenAsItIs) {
  for (const Size size : {Size{1280, 720}, Size{641, 481}, Size{16, 16}, Size{17, 4096}, Size{4096, 4096}}) {
    const About about{size, {30, 1}, nullptr};
    for (const PixelFormat& format : pixel_formats()) {
      const auto sizes = capture_sizes(about, format);
      EXPECT_EQ(sizes.front(), fitting(format, size));
      for (const Size& each : sizes) {
        EXPECT_EQ(std::count(sizes.begin(), sizes.end(), each), 1) << each.width << "x" << each.height;
        EXPECT_EQ(fitting(format, each), each);
        const Layout layout = nearest_capture(about, wanted(format.fourcc, each.width, each.height));
        EXPECT_EQ(layout, (Layout{&format, each}));
      }
    }
  }
}

TEST(VideoFormat, TheNearestSizeHasMostInCommon) {
  const About about{{1920, 1080}, {30, 1}, nullptr};
  const struct {
    Size asked;
    Size given;
  } cases[] = {{{0, 0}, {160, 120}},     {{1, 1}, {160, 120}},        {{kMost, kMost}, {1920, 1080}},
               {{650, 490}, {640, 480}}, {{1300, 700}, {1280, 720}},  {{kMost, 1}, {160, 120}},
               {{322, 182}, {320, 180}}, {{1900, 1080}, {1920, 1080}}};
  for (const auto& each : cases) {
    const Layout layout = nearest_capture(about, wanted(V4L2_PIX_FMT_NV12, each.asked.width, each.asked.height));
    EXPECT_EQ(layout.size, each.given) << each.asked.width << "x" << each.asked.height << " became "
                                       << layout.size.width << "x" << layout.size.height;
    EXPECT_EQ(layout.format->fourcc, V4L2_PIX_FMT_NV12);
  }
}

TEST(VideoFormat, AnUnknownFormatBecomesTheFirst) {
  const About about{{640, 480}, {30, 1}, find_pixel_format(V4L2_PIX_FMT_NV12)};
  EXPECT_EQ(nearest_capture(about, wanted(V4L2_PIX_FMT_H264, 640, 480)).format, about.native);
  EXPECT_EQ(nearest_output(wanted(V4L2_PIX_FMT_MJPEG, 640, 480)).format, output_format(0));
  EXPECT_EQ(nearest_output(wanted(0, 640, 480)).format, output_format(0));
}

RC_GTEST_PROP(VideoFormat, WhateverIsAskedForItsAnswerIsPossible, ()) {
  const auto side = [] { return *testing::in_range(kLeastSide, kMostSide + 1); };
  const About about{{side(), side()}, {*testing::in_range(1U, 1000U), *testing::in_range(1U, 1000U)}, nullptr};
  const auto format =
      *rc::gen::oneOf(rc::gen::arbitrary<std::uint32_t>(),
                      rc::gen::elementOf(std::vector<std::uint32_t>{V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_RGB24,
                                                                    V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_NV12}));
  const v4l2_pix_format asked = wanted(format, *testing::in_range(0U, kMost),
                                       *testing::in_range(0U, *rc::gen::arbitrary<bool>() ? 5000U : kMost));
  const Layout capture = nearest_capture(about, asked);
  RC_ASSERT(has(capture_sizes(about, *capture.format), capture.size));
  RC_ASSERT(nearest_capture(about, pix_format_of(capture)) == capture);
  const Layout output = nearest_output(asked);
  RC_ASSERT(!output.format->compressed());
  RC_ASSERT(output.size == fitting(*output.format, output.size));
  RC_ASSERT(output.size.width >= kLeastSide && output.size.width <= kMostSide);
  RC_ASSERT(output.size.height >= kLeastSide && output.size.height <= kMostSide);
  RC_ASSERT(nearest_output(pix_format_of(output)) == output);
  RC_ASSERT(pix_format_of(output).sizeimage == output.bytes());
  const Rate rate = nearest_rate(about, {*rc::gen::arbitrary<std::uint32_t>(), *rc::gen::arbitrary<std::uint32_t>()});
  const auto rates = capture_rates(about);
  RC_ASSERT(std::find(rates.begin(), rates.end(), rate) != rates.end());
  RC_ASSERT(nearest_rate(about, per_frame_of(rate)) == rate);
}

TEST(VideoFormat, RatesAreTheSourcesAndUsualOnesThatAreLower) {
  const About ntsc{{640, 480}, {30000, 1001}, nullptr};
  const auto rates = capture_rates(ntsc);
  EXPECT_EQ(rates.front(), ntsc.rate);
  EXPECT_EQ(std::count(rates.begin(), rates.end(), Rate{30, 1}), 0) << "that's higher";
  EXPECT_EQ(std::count(rates.begin(), rates.end(), Rate{25, 1}), 1);
  EXPECT_EQ(capture_rates({{640, 480}, {1, 10}, nullptr}).size(), 1U);
}

TEST(VideoFormat, TheNearestRateIsSoByTime) {
  const About about{{640, 480}, {60, 1}, nullptr};
  EXPECT_EQ(nearest_rate(about, {1, 30}), (Rate{30, 1}));
  EXPECT_EQ(nearest_rate(about, {1001, 30000}), (Rate{30, 1}));
  EXPECT_EQ(nearest_rate(about, {1, 1000}), (Rate{60, 1}));
  EXPECT_EQ(nearest_rate(about, {1000, 1}), (Rate{5, 1}));
  for (const v4l2_fract& none : {v4l2_fract{0, 0}, v4l2_fract{0, 30}, v4l2_fract{1, 0}}) {
    EXPECT_EQ(nearest_rate(about, none), about.rate);
  }
}

TEST(VideoFormat, APixFormatSaysWhatTheLayoutIs) {
  const v4l2_pix_format nv12 = pix_format_of({find_pixel_format(V4L2_PIX_FMT_NV12), {640, 480}});
  EXPECT_EQ(nv12.bytesperline, 640U);
  EXPECT_EQ(nv12.sizeimage, 640U * 480 * 3 / 2);
  EXPECT_EQ(nv12.field, std::uint32_t{V4L2_FIELD_NONE});
  EXPECT_EQ(nv12.colorspace, std::uint32_t{V4L2_COLORSPACE_SRGB});
  const v4l2_pix_format jpeg = pix_format_of({find_pixel_format(V4L2_PIX_FMT_MJPEG), {640, 480}});
  EXPECT_EQ(jpeg.bytesperline, 0U);
  EXPECT_GE(jpeg.sizeimage, 640U * 480);
  EXPECT_EQ(jpeg.colorspace, std::uint32_t{V4L2_COLORSPACE_JPEG});
}

TEST(VideoFormat, ADeviceBeginsWithWhatItsSourceIs) {
  const About about{{321, 241}, {25, 1}, find_pixel_format(V4L2_PIX_FMT_RGB24)};
  const OpenFormats formats = usual_formats(about);
  EXPECT_EQ(formats.capture, (Layout{about.native, {321, 241}}));
  EXPECT_EQ(formats.capture_rate, about.rate);
  EXPECT_EQ(formats.output.format, output_format(0));
  EXPECT_EQ(formats.output.size, (Size{322, 241}));
}

}  // namespace
}  // namespace dmmap::camera
