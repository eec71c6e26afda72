// Debian's programs that insist on a character device: by `dmmap run`.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
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
constexpr std::chrono::seconds kComplying{60};

class CameraRunProgramsTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::passthrough()); }

  // A film of noise, as a server shows it, and its pictures.
  std::string noise_film(const std::string& format) {
    shown_ = noise_pictures(kCount, bytes_of(format, kSize));
    save(directory_ / "shown", joined(shown_));
    return "raw:" + format + ":" + (directory_ / "shown").string();
  }

  [[nodiscard]] Outcome gst_launch(std::vector<std::string> words) const {
    words.insert(words.begin(), {"gst-launch-1.0", "-q"});
    return run(by_run(std::move(words)), kCapturing,
               {.environment = {"HOME=" + directory_.path().string()}, .directory = {}, .user = {}});
  }

  TemporaryDirectory directory_;
  Pictures shown_;
};

std::vector<std::string> v4l2_ctl(const Path& video, std::vector<std::string> words) {
  words.insert(words.begin(), {"v4l2-ctl", "-d", video});
  return by_run(std::move(words));
}

// What it prints, with status 0.
std::string told(const Path& video, const std::vector<std::string>& words) {
  const Outcome done = run(v4l2_ctl(video, words), kCapturing);
  EXPECT_EQ(done.status, 0) << done.err;
  return done.out;
}

void expect_has(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
}

TEST_F(CameraRunProgramsTest, V4l2CtlTellsAllOfTheDevice) {
  DMMAP_NEEDS(needs::program("v4l2-ctl"));
  CameraServer server({"--size", "320x240", "--fps", "50", "--name", "A camera of ours"});
  ASSERT_TRUE(server.ready()) << server.log();
  expect_has(told(server.video(), {"--all"}),
             {"Card type        : A camera of ours", "Video Capture", "Streaming", "Read/Write",
              "Video input : 0 (Camera: ok)", "Width/Height      : 320/240", "Pixel Format      : 'YUYV'",
              "Size Image        : 153600", "Frames per second: 50.000 (50/1)", "brightness 0x00980900",
              "compression_quality 0x009d0903"});
  expect_has(told(server.video(), {"--list-formats-ext"}),
             {"[0]: 'YUYV' (YUYV 4:2:2)", "'UYVY'", "'NV12'", "'YU12'", "'RGB3'", "'BGR3'", "'GREY'",
              "'MJPG' (Motion-JPEG, compressed)", "Size: Discrete 320x240", "Size: Discrete 160x120",
              "Interval: Discrete 0.020s (50.000 fps)"});
  server.end();
}

TEST_F(CameraRunProgramsTest, V4l2CtlSavesEachPicture) {
  DMMAP_NEEDS(needs::program("v4l2-ctl"));
  CameraServer server({"--source", noise_film("NV12"), "--size", "320x240", "--fps", "50"});
  ASSERT_TRUE(server.ready()) << server.log();
  const Path file = directory_ / "captured";
  const std::vector<std::string> words{"--stream-mmap", "--stream-count", std::to_string(kCount), "--stream-to", file};
  told(server.video(), words);
  expect_exact(shown_, split(bytes_of(file), bytes_of("NV12", kSize)));
  server.end();
}

// By mmap, both of them. rawvideoparse doesn't say what its colours are, which v4l2sink wants to know; and the first
// picture is shown twice by a sink that also shows it while it waits for the others.
TEST_F(CameraRunProgramsTest, GstreamerPutsInWhatV4l2CtlSaves) {
  DMMAP_NEEDS(needs::program("v4l2-ctl"));
  DMMAP_NEEDS(needs::program("gst-launch-1.0"));
  noise_film("UYVY");
  CameraServer server({"--source", "device", "--size", "320x240"});
  ASSERT_TRUE(server.ready()) << server.log();
  const Path file = directory_ / "captured";
  Process capturer(
      v4l2_ctl(server.video(), {"--set-fmt-video", "width=320,height=240,pixelformat=UYVY", "--stream-mmap", "16",
                                "--stream-count", std::to_string(kCount), "--stream-to", file}));
  ASSERT_TRUE(server.says("captures UYVY 320x240"));
  const std::string caps =
      "caps=video/x-raw,format=UYVY,width=320,height=240,framerate=25/1,interlace-mode=progressive,"
      "pixel-aspect-ratio=1/1,colorimetry=2:4:7:1";
  const Outcome producer =
      gst_launch({"filesrc", "location=" + (directory_ / "shown").string(), "!", "rawvideoparse", "format=uyvy",
                  "width=320", "height=240", "framerate=25/1", "!", "capssetter", "replace=true", caps, "!", "v4l2sink",
                  "io-mode=mmap", "show-preroll-frame=false", "device=" + server.video().string()});
  EXPECT_EQ(producer.status, 0) << producer.err;
  EXPECT_EQ(capturer.wait(kCapturing).status, 0) << capturer.err();
  EXPECT_NE(server.log().find("puts in UYVY 320x240 at"), std::string::npos) << server.log();
  expect_exact(shown_, split(bytes_of(file), bytes_of("UYVY", kSize)));
  server.end();
}

// What a program puts in is as it says: of a size and a rate that the camera hasn't been told of, or that it had
// before.
TEST_F(CameraRunProgramsTest, GstreamerPutsInPicturesOfAnySizeAndRate) {
  DMMAP_NEEDS(needs::program("gst-launch-1.0"));
  CameraServer server({"--source", "device", "--size", "320x240"});
  ASSERT_TRUE(server.ready()) << server.log();
  for (const char* const size : {"width=160,height=120,framerate=20/1", "width=640,height=480,framerate=50/1"}) {
    const Outcome done = gst_launch({"videotestsrc", "num-buffers=10", "!", std::string("video/x-raw,") + size, "!",
                                     "v4l2sink", "device=" + server.video().string()});
    EXPECT_EQ(done.status, 0) << size << ": " << done.err;
  }
  EXPECT_NE(server.log().find("160x120 at 20 fps"), std::string::npos) << server.log();
  EXPECT_NE(server.log().find("640x480 at 50 fps"), std::string::npos) << server.log();
  server.end();
}

// The program says which colours its numbers mean (Documentation/userspace-api/media/v4l/pixfmt-v4l2.rst: "for video
// output, set by the application").
TEST_F(CameraRunProgramsTest, GstreamerSaysWhichColoursItPutsIn) {
  DMMAP_NEEDS(needs::program("gst-launch-1.0"));
  DMMAP_NEEDS(needs::program("v4l2-ctl"));
  CameraServer server({"--source", "device", "--size", "320x240"});
  ASSERT_TRUE(server.ready()) << server.log();
  for (const char* const colours : {"bt601", "bt709"}) {
    const Outcome done = gst_launch({"videotestsrc", "num-buffers=5", "!",
                                     std::string("video/x-raw,format=YUY2,width=320,height=240,colorimetry=") + colours,
                                     "!", "v4l2sink", "device=" + server.video().string()});
    EXPECT_EQ(done.status, 0) << colours << ": " << done.err;
  }
  expect_has(told(server.video(), {"--set-fmt-video-out", "width=320,height=240,pixelformat=YUYV,colorspace=rec709",
                                   "--get-fmt-video-out"}),
             {"Colorspace        : Rec. 709"});
  server.end();
}

// A picture that is turned over is shown so, to those who look already as well.
TEST_F(CameraRunProgramsTest, V4l2CtlSetsControls) {
  DMMAP_NEEDS(needs::program("v4l2-ctl"));
  CameraServer server({"--source", noise_film("GREY"), "--size", "320x240", "--fps", "50"});
  ASSERT_TRUE(server.ready()) << server.log();
  told(server.video(), {"--set-ctrl", "vertical_flip=1,horizontal_flip=1"});
  EXPECT_EQ(told(server.video(), {"--get-ctrl", "vertical_flip,horizontal_flip,brightness"}),
            "vertical_flip: 1\nhorizontal_flip: 1\nbrightness: 0\n");
  const Path file = directory_ / "captured";
  const std::vector<std::string> words{"--stream-mmap", "--stream-count", std::to_string(kCount), "--stream-to", file};
  told(server.video(), words);
  Pictures turned;
  for (const std::string& each : shown_) {
    turned.emplace_back(each.rbegin(), each.rend());
  }
  expect_exact(turned, split(bytes_of(file), bytes_of("GREY", kSize)));
  told(server.video(), {"--set-ctrl", "vertical_flip=0,horizontal_flip=0,brightness=127"});
  EXPECT_EQ(told(server.video(), {"--get-ctrl", "brightness"}), "brightness: 127\n");
  told(server.video(), {"--stream-mmap", "--stream-count", "1", "--stream-to", file});
  std::string brighter = shown_[0];
  for (char& each : brighter) {
    each = static_cast<char>(std::min(static_cast<unsigned char>(each) + 127, 255));
  }
  EXPECT_EQ(bytes_of(file), brighter);
  server.end();
}

TEST_F(CameraRunProgramsTest, V4l2CtlIsToldOfAControlThatAnotherSets) {
  DMMAP_NEEDS(needs::program("v4l2-ctl"));
  CameraServer server({"--size", "320x240"});
  ASSERT_TRUE(server.ready()) << server.log();
  for (const char* const how : {"--poll-for-event", "--epoll-for-event"}) {
    // It tells of what is, and then of what changes, for ever.
    Process waiting(by_run({"stdbuf", "-oL", "v4l2-ctl", "-d", server.video(), how, "ctrl=brightness"}));
    EXPECT_TRUE(waiting.wait_for_output("value: 0 0x0", kCapturing)) << waiting.err();
    told(server.video(), {"--set-ctrl", "brightness=17"});
    EXPECT_TRUE(waiting.wait_for_output("value: 17 0x11", kCapturing)) << how << ": " << waiting.err();
    told(server.video(), {"--set-ctrl", "brightness=0"});
    EXPECT_TRUE(waiting.running());
  }
  server.end();
}

// Buffers that are granted at mmap and at no other time, to programs that ask.
TEST_F(CameraRunProgramsTest, V4l2CtlSavesWhatIsGrantedAtMmapAlone) {
  DMMAP_NEEDS(needs::program("v4l2-ctl"));
  DMMAP_NEEDS(needs::program("ffmpeg"));
  CameraServer server({"--tier", "preload", "--source", noise_film("YU12"), "--size", "320x240", "--fps", "50"});
  ASSERT_TRUE(server.ready()) << server.log();
  const Path file = directory_ / "captured";
  const Outcome plain = run(ffmpeg_capture(server.video(), "YU12", kSize, 1, file), kCapturing);
  EXPECT_NE(plain.status, 0) << "nothing can be mapped without being asked for";
  const std::vector<std::string> words{"--stream-mmap",        "8",           "--stream-count",
                                       std::to_string(kCount), "--stream-to", file};
  told(server.video(), words);
  expect_exact(shown_, split(bytes_of(file), bytes_of("YU12", kSize)));
  server.end();
}

// The tests that fail, by the name that v4l2-compliance has for them, and what it says of the first thing that's wrong.
std::map<std::string, std::string> failed_tests(const std::string& report) {
  std::map<std::string, std::string> failed;
  std::string reason;
  std::istringstream lines(report);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t test = line.find("test ");
    if (const std::size_t fail = line.find("fail: "); fail != std::string::npos && reason.empty()) {
      reason = line.substr(line.find("): ", fail) + 3);
    }
    if (test != std::string::npos && line.find_first_not_of("\t ") == test) {
      const std::size_t end = line.rfind(": ");
      if (line.find("FAIL", end) != std::string::npos) {
        failed[line.substr(test + 5, end - test - 5)] = reason;
      }
      reason.clear();
    }
  }
  return failed;
}

// How many tests it did.
unsigned tests_in(const std::string& report) {
  const std::size_t total = report.rfind("Total for ");
  const std::size_t number = total == std::string::npos ? total : report.find(": ", total);
  return number == std::string::npos ? 0 : static_cast<unsigned>(std::stoul(report.substr(number + 2)));
}

const std::map<std::string, std::string>& failing_by_design() {
  static const std::map<std::string, std::string> kAll{
      // Each open has a format of its own, and this test expects to find another open's.
      {"VIDIOC_S_FMT", "Global format mismatch: 56595559(YUYV)/160x120 vs 59565955(UYVY)/160x120"},
      // Each open has buffers of its own, and this test expects that another's are in its way.
      {"VIDIOC_REQBUFS/CREATE_BUFS/QUERYBUF", "q2.reqbufs(node->node2, 1) != EBUSY"},
  };
  return kAll;
}

TEST_F(CameraRunProgramsTest, V4l2ComplianceFindsNothingElse) {
  DMMAP_NEEDS(needs::program("v4l2-compliance"));
  CameraServer server({"--size", "320x240", "--fps", "50"});
  ASSERT_TRUE(server.ready()) << server.log();
  const Outcome done = run(by_run({"v4l2-compliance", "-d", server.video(), "-s"}), kComplying);
  EXPECT_FALSE(done.timed_out);
  EXPECT_EQ(failed_tests(done.out), failing_by_design()) << done.out;
  EXPECT_GE(tests_in(done.out), 50U) << "it streamed, too";
  server.end();
}

TEST_F(CameraRunProgramsTest, GstreamerCapturesEachPicture) {
  DMMAP_NEEDS(needs::program("gst-launch-1.0"));
  CameraServer server({"--source", noise_film("YUYV"), "--size", "320x240", "--fps", "25"});
  ASSERT_TRUE(server.ready()) << server.log();
  const Path file = directory_ / "captured";
  const Outcome done =
      gst_launch({"v4l2src", "device=" + server.video().string(), "num-buffers=" + std::to_string(kCount), "!",
                  "video/x-raw,format=YUY2,width=320,height=240", "!", "filesink", "location=" + file.string()});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_NE(server.log().find("captures YUYV 320x240"), std::string::npos) << server.log();
  expect_exact(shown_, split(bytes_of(file), bytes_of("YUYV", kSize)));
  server.end();
}

// The pattern's QR code says which picture it is. (zbarcam's --nodisplay crashes by itself in zbar 0.23.92.)
TEST_F(CameraRunProgramsTest, ZbarcamReadsThePattern) {
  DMMAP_NEEDS(needs::program("zbarcam"));
  DMMAP_NEEDS(needs::program("xvfb-run"));
  CameraServer server({"--size", "320x240"});
  ASSERT_TRUE(server.ready()) << server.log();
  std::vector<std::string> words = by_run({"zbarcam", "--nodbus", "-1", "-q", "--raw", server.video()});
  words.insert(words.begin(), {"xvfb-run", "-a"});
  const Outcome done = run(words, kCapturing);
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_TRUE(done.out.starts_with("dmmap video0 frame ")) << done.out;
  server.end();
}

TEST_F(CameraRunProgramsTest, FswebcamTakesAPicture) {
  DMMAP_NEEDS(needs::program("fswebcam"));
  const Pictures still = noise_pictures(1, bytes_of("RGB24", kSize));
  encode(still, "rgb24", kSize, {}, directory_ / "still.png");
  CameraServer server({"--source", "file:" + (directory_ / "still.png").string()});
  ASSERT_TRUE(server.ready()) << server.log();
  const Path file = directory_ / "taken.png";
  const Outcome taken = run(by_run({"fswebcam", "-q", "-d", server.video(), "-r", "320x240", "-p", "RGB24",
                                    "--no-banner", "--png", "1", file}),
                            kCapturing);
  EXPECT_EQ(taken.status, 0) << taken.err;
  EXPECT_EQ(decoded(file, "rgb24"), still[0]);
  server.end();
}

}  // namespace
}  // namespace dmmap::testing
