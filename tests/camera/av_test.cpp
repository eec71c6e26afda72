#include "servers/camera/picture/av.h"

#include <gtest/gtest.h>

#include <cerrno>

extern "C" {
#include <libavutil/pixfmt.h>
}

namespace dmmap::camera {
namespace {

TEST(Av, APicturesLinesAreAligned) {
  for (const PixelFormat& each : pixel_formats()) {
    if (each.compressed()) {
      continue;
    }
    const NewPicture picture = new_picture(each.av, {642, 482});
    EXPECT_EQ(picture->linesize[0] % 64, 0) << each.name;
    EXPECT_EQ(size_of(*picture), (Size{642, 482}));
    EXPECT_GE(picture->linesize[0], static_cast<int>(Layout{&each, {642, 482}}.bytes_per_line())) << each.name;
  }
}

TEST(Av, ErrorsAreTold) {
  EXPECT_EQ(av_error(AVERROR(ENOENT)), "No such file or directory");
  EXPECT_EQ(av_error(AVERROR_INVALIDDATA), "Invalid data found when processing input");
  EXPECT_EQ(av_errno(AVERROR(ENOENT)), ENOENT);
  EXPECT_EQ(av_errno(AVERROR_INVALIDDATA), EIO);
}

}  // namespace
}  // namespace dmmap::camera
