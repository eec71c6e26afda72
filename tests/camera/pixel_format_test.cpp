#include "servers/camera/picture/pixel_format.h"

#include <gtest/gtest.h>
#include <linux/videodev2.h>

namespace dmmap::camera {
namespace {

TEST(PixelFormat, IsFoundByNumberAndByName) {
  for (const PixelFormat& each : pixel_formats()) {
    EXPECT_EQ(find_pixel_format(each.fourcc), &each);
    EXPECT_EQ(find_pixel_format(std::string(each.name)), &each);
  }
  EXPECT_EQ(find_pixel_format(V4L2_PIX_FMT_H264), nullptr);
  EXPECT_EQ(find_pixel_format("H264"), nullptr);
}

TEST(PixelFormat, LaysPicturesOutAsVideo4LinuxDoes) {
  const Size size{640, 480};
  EXPECT_EQ((Layout{find_pixel_format("YUYV"), size}.bytes()), 614400U);
  EXPECT_EQ((Layout{find_pixel_format("YUYV"), size}.bytes_per_line()), 1280U);
  EXPECT_EQ((Layout{find_pixel_format("NV12"), size}.bytes()), 460800U);
  EXPECT_EQ((Layout{find_pixel_format("NV12"), size}.bytes_per_line()), 640U);
  EXPECT_EQ((Layout{find_pixel_format("YU12"), size}.bytes_per_line()), 640U);
  EXPECT_EQ((Layout{find_pixel_format("RGB24"), size}.bytes()), 921600U);
  EXPECT_EQ((Layout{find_pixel_format("GREY"), size}.bytes()), 307200U);
  EXPECT_EQ((Layout{find_pixel_format("MJPEG"), size}.bytes_per_line()), 0U);
}

TEST(PixelFormat, HasASizeForWhateverIsAskedFor) {
  const PixelFormat& nv12 = *find_pixel_format("NV12");
  EXPECT_EQ(fitting(nv12, {0, 0}), (Size{16, 16}));
  EXPECT_EQ(fitting(nv12, {641, 479}), (Size{642, 480}));
  EXPECT_EQ(fitting(nv12, {~0U, ~0U}), (Size{4096, 4096}));
  EXPECT_EQ(fitting(*find_pixel_format("RGB24"), {641, 479}), (Size{641, 479}));
}

}  // namespace
}  // namespace dmmap::camera
