// Debian's programs that capture from a camera by its path alone, and one that puts pictures into it: what they
// brought is compared with what was shown.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include "programs/camera_server.h"
#include "programs/capturers.h"
#include "programs/pictures.h"
#include "support/files.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {
namespace {

using Path = std::filesystem::path;

constexpr Size kSize{320, 240};
constexpr std::size_t kCount = 25;

class CameraProgramsTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::passthrough()); }

  TemporaryDirectory directory_;
};

// A raw source is what the camera shows, byte for byte, when that's what is asked for.
class CameraFormatsTest : public CameraProgramsTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(CameraFormatsTest, FfmpegCapturesEachPictureOfAFifo) {
  DMMAP_NEEDS(needs::program("ffmpeg"));
  const std::string format = GetParam();
  const Pictures shown = noise_pictures(kCount, bytes_of(format, kSize));
  FifoWriter fifo(directory_ / "fifo", joined(shown));
  CameraServer server({"--source", "raw:" + format + ":" + fifo.path().string(), "--size", "320x240", "--fps", "50"});
  ASSERT_TRUE(server.ready()) << server.log();
  fifo.start();
  const Path file = directory_ / "captured";
  const Outcome ffmpeg = run(ffmpeg_capture(server.video(), format, kSize, kCount, file), kCapturing);
  EXPECT_EQ(ffmpeg.status, 0) << ffmpeg.err;
  EXPECT_NE(server.log().find("captures " + format + " 320x240 at 50 fps"), std::string::npos) << server.log();
  expect_exact(shown, split(bytes_of(file), bytes_of(format, kSize)));
  server.end();
}

INSTANTIATE_TEST_SUITE_P(Formats, CameraFormatsTest,
                         ::testing::Values("YUYV", "UYVY", "NV12", "YU12", "RGB24", "BGR24", "GREY"),
                         [](const auto& each) { return std::string(each.param); });

// As the stream's colour, and what ffmpeg captures, which has the same bytes.
class CameraY4mTest : public CameraProgramsTest,
                      public ::testing::WithParamInterface<std::tuple<const char*, const char*>> {};

TEST_P(CameraY4mTest, FfmpegCapturesEachPictureOfAFile) {
  DMMAP_NEEDS(needs::program("ffmpeg"));
  const auto& [colour, format] = GetParam();
  const Pictures shown = noise_pictures(kCount, bytes_of(format, kSize));
  save(directory_ / "film.y4m", y4m_of(shown, kSize, colour, "50:1"));
  CameraServer server({"--source", "y4m:" + (directory_ / "film.y4m").string()});
  ASSERT_TRUE(server.ready()) << server.log();
  const Path file = directory_ / "captured";
  // A file begins anew for who comes when nobody has looked.
  for (int round = 0; round < 2; ++round) {
    const Outcome ffmpeg = run(ffmpeg_capture(server.video(), format, kSize, kCount, file), kCapturing);
    EXPECT_EQ(ffmpeg.status, 0) << ffmpeg.err;
    expect_exact(shown, split(bytes_of(file), bytes_of(format, kSize)));
  }
  server.end();
}

INSTANTIATE_TEST_SUITE_P(Colours, CameraY4mTest,
                         ::testing::Values(std::tuple("420jpeg", "YU12"), std::tuple("mono", "GREY")),
                         [](const auto& each) { return std::string(std::get<1>(each.param)); });

TEST_F(CameraProgramsTest, FfmpegCapturesMotionJpeg) {
  DMMAP_NEEDS(needs::program("ffmpeg"));
  const Pictures shown = marked_pictures(kCount, kSize);
  FifoWriter fifo(directory_ / "fifo", y4m_of(shown, kSize, "mono", "50:1"));
  CameraServer server({"--source", "y4m:" + fifo.path().string(), "--size", "320x240", "--fps", "50"});
  ASSERT_TRUE(server.ready()) << server.log();
  fifo.start();
  const Path file = directory_ / "captured.mjpeg";
  const Outcome ffmpeg = run(ffmpeg_capture(server.video(), "MJPEG", kSize, kCount, file), kCapturing);
  EXPECT_EQ(ffmpeg.status, 0) << ffmpeg.err;
  // JPEG's luma is 0 to 255; ffmpeg makes it 16 to 235 again.
  const Pictures captured = split(decoded(file, "yuv420p"), bytes_of("YU12", kSize));
  ASSERT_EQ(captured.size(), kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(number_in(captured[i], kSize), i);
    EXPECT_LT(apart(captured[i].substr(0, shown[i].size()), shown[i]), 4) << i;
  }
  server.end();
}

TEST_F(CameraProgramsTest, FfmpegPutsInWhatAnotherCaptures) {
  DMMAP_NEEDS(needs::program("ffmpeg"));
  const Pictures shown = noise_pictures(kCount, bytes_of("YUYV", kSize));
  save(directory_ / "shown", joined(shown));
  CameraServer server({"--source", "device", "--size", "320x240"});
  ASSERT_TRUE(server.ready()) << server.log();
  const Path file = directory_ / "captured";
  Process ffmpeg(ffmpeg_capture(server.video(), "YUYV", kSize, kCount, file));
  ASSERT_TRUE(server.says("captures YUYV 320x240"));
  const Outcome producer = run(ffmpeg_put(directory_ / "shown", "YUYV", kSize, 25, server.video()), kCapturing);
  EXPECT_EQ(producer.status, 0) << producer.err;
  EXPECT_EQ(ffmpeg.wait(kCapturing).status, 0) << ffmpeg.err();
  EXPECT_NE(server.log().find("puts in YUYV 320x240 by write"), std::string::npos) << server.log();
  expect_exact(shown, split(bytes_of(file), bytes_of("YUYV", kSize)));
  server.end();
}

// By what it reads (BGR), and by what it converts itself.
constexpr const char* kOpenCv = R"(
import cv2, sys
path, into, count, width, height, rate = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
camera = cv2.VideoCapture(path, cv2.CAP_V4L2)
assert camera.isOpened()
if width:
    assert camera.set(cv2.CAP_PROP_FRAME_WIDTH, width) and camera.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    assert camera.set(cv2.CAP_PROP_FPS, rate)
with open(into, 'wb') as out:
    for i in range(count):
        ok, picture = camera.read()
        assert ok, i
        out.write(picture.tobytes())
print(picture.shape, camera.get(cv2.CAP_PROP_FRAME_WIDTH), camera.get(cv2.CAP_PROP_FRAME_HEIGHT),
      camera.get(cv2.CAP_PROP_FPS))
camera.release()
)";

Outcome opencv(const Path& video, const Path& into, std::size_t count, Size size, unsigned rate) {
  return run({"/usr/bin/python3", "-c", kOpenCv, video, into, std::to_string(count), std::to_string(size.width),
              std::to_string(size.height), std::to_string(rate)},
             kCapturing);
}

TEST_F(CameraProgramsTest, OpenCvCapturesEachPicture) {
  const std::size_t bytes = bytes_of("BGR24", kSize);
  const Pictures shown = noise_pictures(kCount, bytes);
  save(directory_ / "shown", joined(shown));
  CameraServer server({"--source", "raw:BGR24:" + (directory_ / "shown").string(), "--size", "320x240", "--fps", "25"});
  ASSERT_TRUE(server.ready()) << server.log();
  const Path file = directory_ / "captured";
  // It takes one when it opens the camera, which nobody sees.
  const Outcome done = opencv(server.video(), file, kCount - 1, {}, 0);
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.out, "(240, 320, 3) 320.0 240.0 25.0\n");
  expect_exact({shown.begin() + 1, shown.end()}, split(bytes_of(file), bytes));
  server.end();
}

TEST_F(CameraProgramsTest, OpenCvSetsSizeAndRate) {
  constexpr Size kAsked{160, 120};
  CameraServer server({"--size", "320x240", "--fps", "50"});
  ASSERT_TRUE(server.ready()) << server.log();
  const Path file = directory_ / "captured";
  const Outcome done = opencv(server.video(), file, kCount, kAsked, 25);
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.out, "(120, 160, 3) 160.0 120.0 25.0\n");
  const auto numbers = numbers_in(split(bytes_of(file), bytes_of("BGR24", kAsked)), kAsked, 3);
  ASSERT_EQ(numbers.size(), kCount);
  // Every second of the pattern's pictures.
  for (std::size_t i = 0; i < kCount; ++i) {
    ASSERT_TRUE(numbers[i]) << i;
    EXPECT_TRUE(*numbers[i] == *numbers[0] + 2 * i || server.left_out() > 0) << i;
  }
  server.end();
}

TEST_F(CameraProgramsTest, MplayerShowsWhatTheCameraShows) {
  DMMAP_NEEDS(needs::program("mplayer"));
  const Pictures shown = noise_pictures(kCount, bytes_of("YU12", kSize));
  save(directory_ / "shown", joined(shown));
  CameraServer server({"--source", "raw:YU12:" + (directory_ / "shown").string(), "--size", "320x240", "--fps", "25"});
  ASSERT_TRUE(server.ready()) << server.log();
  const Path file = directory_ / "captured.y4m";
  const Outcome mplayer =
      run({"mplayer", "-really-quiet", "-noconfig", "all", "-nolirc", "-nosound", "-benchmark", "-tv",
           "driver=v4l2:device=" + server.video().string() + ":width=320:height=240:fps=25:outfmt=i420", "tv://",
           "-frames", "15", "-vo", "yuv4mpeg:file=" + file.string()},
          kCapturing, {.environment = {"HOME=" + directory_.path().string()}, .directory = {}, .user = {}});
  EXPECT_EQ(mplayer.status, 0) << mplayer.err;
  // It shows a picture twice when it's sooner than the next one, and leaves some out when it's later.
  const Pictures captured = pictures_of_y4m(bytes_of(file));
  EXPECT_GE(captured.size(), 10U);
  auto from = shown.begin();
  for (const std::string& each : captured) {
    from = std::find(from, shown.end(), each);
    ASSERT_NE(from, shown.end()) << "a picture of the camera's, and none that's before the last";
  }
  EXPECT_GE(from - shown.begin(), 5) << "they go on";
  server.end();
}

TEST_F(CameraProgramsTest, FswebcamTakesAPicture) {
  DMMAP_NEEDS(needs::program("fswebcam"));
  const Pictures still = noise_pictures(1, bytes_of("RGB24", kSize));
  encode(still, "rgb24", kSize, {}, directory_ / "still.png");
  CameraServer server({"--source", "file:" + (directory_ / "still.png").string()});
  ASSERT_TRUE(server.ready()) << server.log();
  const Path file = directory_ / "taken.png";
  // Without "v4l2:" it asks whether that's a character device.
  const Outcome taken = run({"fswebcam", "-q", "-d", "v4l2:" + server.video().string(), "-r", "320x240", "-p", "RGB24",
                             "--no-banner", "--png", "1", file},
                            kCapturing);
  EXPECT_EQ(taken.status, 0) << taken.err;
  EXPECT_NE(server.log().find("captures RGB24 320x240"), std::string::npos) << server.log();
  EXPECT_EQ(decoded(file, "rgb24"), still[0]);
  server.end();
}

}  // namespace
}  // namespace dmmap::testing
