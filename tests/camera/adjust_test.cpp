#include "servers/camera/engine/adjust.h"

#include <gtest/gtest.h>
#include <linux/videodev2.h>

#include <algorithm>
#include <vector>

#include "camera/colours.h"

namespace dmmap::camera {
namespace {

constexpr Size kSize{64, 16};

class AdjustTest : public ::testing::Test {
 protected:
  Picture adjust(const Picture& given, const Adjustments& by) {
    auto result = adjusted(given, by, converter);
    EXPECT_TRUE(result);
    return result.value_or(given);
  }
  static int at(const Picture& of, std::size_t which, unsigned x, unsigned y) { return *component(*of, which, x, y); }

  // Bars, and a dark line at the bottom.
  Picture picture = [] {
    NewPicture drawn = bars(AV_PIX_FMT_YUV444P, false, kSize);
    for (unsigned x = 0; x < kSize.width; ++x) {
      *component(*drawn, 0, x, kSize.height - 1) = 20;
    }
    return Picture(drawn);
  }();
  Converter converter;
};

TEST_F(AdjustTest, DefaultsLeaveThePictureItself) {
  EXPECT_EQ(adjust(picture, {}), picture);
  EXPECT_EQ(adjust(picture, {.jpeg_quality = 1}), picture) << "that's for who makes one";
  const Picture rgb = bars(AV_PIX_FMT_RGB24, false, kSize);
  EXPECT_EQ(adjust(rgb, Controls().adjustments()), rgb);
}

TEST_F(AdjustTest, BrightnessIsAddedToLuma) {
  for (const int brightness : {-128, -7, 9, 127}) {
    const Picture result = adjust(picture, {.brightness = brightness});
    for (unsigned x = 0; x < kSize.width; x += 5) {
      EXPECT_EQ(at(result, 0, x, 3), std::clamp(at(picture, 0, x, 3) + brightness, 0, 255));
      EXPECT_EQ(at(result, 1, x, 3), at(picture, 1, x, 3));
      EXPECT_EQ(at(result, 2, x, 3), at(picture, 2, x, 3));
    }
  }
}

TEST_F(AdjustTest, ContrastIsADistanceFromGrey) {
  for (const int contrast : {0, 64, 255}) {
    const Picture result = adjust(picture, {.contrast = contrast});
    for (unsigned x = 0; x < kSize.width; x += 5) {
      EXPECT_NEAR(at(result, 0, x, 3), std::clamp(128 + (at(picture, 0, x, 3) - 128) * contrast / 128, 0, 255), 1);
      EXPECT_EQ(at(result, 1, x, 3), at(picture, 1, x, 3));
    }
  }
}

TEST_F(AdjustTest, SaturationIsOfColourAlone) {
  const Picture grey = adjust(picture, {.saturation = 0});
  const Picture more = adjust(picture, {.saturation = 192});
  for (unsigned x = 0; x < kSize.width; x += 5) {
    for (const std::size_t which : {1U, 2U}) {
      EXPECT_EQ(at(grey, which, x, 3), 128);
      EXPECT_NEAR(at(more, which, x, 3), std::clamp(128 + (at(picture, which, x, 3) - 128) * 3 / 2, 0, 255), 1);
    }
    EXPECT_EQ(at(grey, 0, x, 3), at(picture, 0, x, 3));
  }
}

TEST_F(AdjustTest, FlipsMoveEveryPixel) {
  const Picture mirrored = adjust(picture, {.mirrored = true});
  const Picture upside_down = adjust(picture, {.upside_down = true});
  const Picture both = adjust(picture, {.mirrored = true, .upside_down = true});
  for (unsigned y = 0; y < kSize.height; ++y) {
    for (unsigned x = 0; x < kSize.width; ++x) {
      for (std::size_t which = 0; which < 3; ++which) {
        const int here = at(picture, which, x, y);
        ASSERT_EQ(at(mirrored, which, kSize.width - 1 - x, y), here);
        ASSERT_EQ(at(upside_down, which, x, kSize.height - 1 - y), here);
        ASSERT_EQ(at(both, which, kSize.width - 1 - x, kSize.height - 1 - y), here);
      }
    }
  }
}

TEST_F(AdjustTest, ThePictureItselfStaysAsItIs) {
  const Picture before = bars(AV_PIX_FMT_YUV444P, false, kSize);
  static_cast<void>(adjust(before, {.brightness = 50, .mirrored = true}));
  const Picture again = bars(AV_PIX_FMT_YUV444P, false, kSize);
  for (unsigned x = 0; x < kSize.width; ++x) {
    ASSERT_EQ(at(before, 0, x, 7), at(again, 0, x, 7));
  }
}

// Whatever a picture is like, a mirrored one shows the same colours.
TEST_F(AdjustTest, RangeAndMatrixAreKept) {
  const Layout rgb{find_pixel_format(V4L2_PIX_FMT_RGB24), kSize};
  for (const int format : {AV_PIX_FMT_YUYV422, AV_PIX_FMT_RGB24, AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV444P}) {
    for (const bool full : {false, true}) {
      for (const AVColorSpace matrix : {AVCOL_SPC_UNSPECIFIED, AVCOL_SPC_BT709}) {
        NewPicture source = bars(format, full, kSize);
        source->colorspace = is_rgb_format(format) ? AVCOL_SPC_RGB : matrix;
        std::vector<std::byte> straight(rgb.bytes());
        std::vector<std::byte> mirrored(rgb.bytes());
        ASSERT_TRUE(converter.convert(*source, rgb, straight));
        ASSERT_TRUE(converter.convert(*adjust(source, {.mirrored = true}), rgb, mirrored));
        for (unsigned x = 4; x < kSize.width; x += 8) {
          for (std::size_t which = 0; which < 3; ++which) {
            EXPECT_NEAR(captured(rgb, mirrored, which, kSize.width - 1 - x, 8), captured(rgb, straight, which, x, 8), 4)
                << format << (full ? " full, " : " limited, ") << matrix << ", x " << x << ", " << which;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace dmmap::camera
