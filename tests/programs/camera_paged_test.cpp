// Buffers that are pages of the kernel's page cache: what programs capture and put in is the same, with privilege and
// without.
#include <gtest/gtest.h>
#include <linux/videodev2.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "mount/mounted.h"
#include "programs/camera_server.h"
#include "programs/capturers.h"
#include "programs/pictures.h"
#include "programs/video_client.h"
#include "support/files.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {
namespace {

using std::chrono::seconds;
using Path = std::filesystem::path;

constexpr Size kSize{320, 240};
constexpr std::size_t kCount = 25;
constexpr uid_t kNobody = 65534;

class CameraPagedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::mounting());
    DMMAP_NEEDS(needs::kernel(6, 6));
    std::filesystem::permissions(directory_.path(), std::filesystem::perms(0777));
  }
  // What a FIFO brings is captured by ffmpeg as it is.
  void ffmpeg_captures_each_picture(const std::string& format, CameraServerOptions options) {
    const Pictures shown = noise_pictures(kCount, bytes_of(format, kSize));
    FifoWriter fifo(directory_ / "fifo", joined(shown));
    options.words.insert(options.words.end(), {"--source", "raw:" + format + ":" + fifo.path().string(), "--size",
                                               "320x240", "--fps", "50"});
    CameraServer server(options);
    ASSERT_TRUE(server.ready()) << server.log();
    EXPECT_NE(server.log().find("buffers are paged"), std::string::npos) << server.log();
    fifo.start();
    const Path file = directory_ / "captured";
    ProcessOptions as;
    as.user = options.user;
    const Outcome ffmpeg = run(ffmpeg_capture(server.video(), format, kSize, kCount, file), kCapturing, as);
    EXPECT_EQ(ffmpeg.status, 0) << ffmpeg.err;
    expect_exact(shown, split(bytes_of(file), bytes_of(format, kSize)));
    server.end();
  }

  TemporaryDirectory directory_;
};

TEST_F(CameraPagedTest, FfmpegCapturesEachPicture) {
  DMMAP_NEEDS(needs::program("ffmpeg"));
  ffmpeg_captures_each_picture("YUYV", {.words = {"--buffers", "paged"}});
}

// No picture of a buffer that is still in a program's hands is another one's.
TEST_F(CameraPagedTest, PicturesAreWholeAndInOrder) {
  CameraServer server({"--buffers", "paged", "--size", "640x480", "--fps", "50"});
  ASSERT_TRUE(server.ready()) << server.log();
  VideoClient client(server.video());
  ASSERT_EQ(client.set_format("GREY", {640, 480}), 0);
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ(client.begin(4), 0);
    InOrder order;
    for (int i = 0; i < 40; ++i) {
      ASSERT_TRUE(order.next(client.capture())) << i;
    }
    EXPECT_LE(order.left_out(), server.left_out());
    ASSERT_EQ(client.stream_off(), 0);
  }
}

TEST_F(CameraPagedTest, WhatIsPutInByBuffersIsCaptured) {
  const Pictures pictures = marked_pictures(10, kSize);
  CameraServer server({"--buffers", "paged", "--source", "device", "--size", "320x240"});
  ASSERT_TRUE(server.ready()) << server.log();
  VideoClient consumer(server.video());
  ASSERT_EQ(consumer.set_format("GREY", kSize), 0);
  ASSERT_EQ(consumer.begin(4), 0);
  VideoClient producer(server.video());
  ASSERT_EQ(producer.set_format("GREY", kSize, V4L2_BUF_TYPE_VIDEO_OUTPUT), 0);
  ASSERT_EQ(producer.request(2, V4L2_BUF_TYPE_VIDEO_OUTPUT), 0);
  ASSERT_TRUE(wait_until([&] { return server.status().find(R"("running":true)") != std::string::npos; }, seconds(20)));
  for (std::uint32_t i = 0; i < pictures.size(); ++i) {
    const unsigned index = i % 2;
    if (i >= 2) {
      v4l2_buffer buffer{};
      ASSERT_EQ(producer.dequeue(buffer), 0);
      ASSERT_EQ(buffer.index, index);
    }
    std::copy(pictures[i].begin(), pictures[i].end(), producer.memory(index));
    ASSERT_EQ(producer.queue(index, pictures[i].size()), 0);
    if (i == 0) {
      ASSERT_EQ(producer.stream_on(), 0);
    }
    const auto shown = consumer.capture();
    ASSERT_TRUE(shown) << i;
    EXPECT_EQ(shown->marks.whole(), i);
  }
}

TEST_F(CameraPagedTest, V4l2CtlSavesEachPictureByRun) {
  DMMAP_NEEDS(needs::program("v4l2-ctl"));
  const Pictures shown = noise_pictures(kCount, bytes_of("NV12", kSize));
  save(directory_ / "shown", joined(shown));
  CameraServer server({"--buffers", "paged", "--source", "raw:NV12:" + (directory_ / "shown").string(), "--size",
                       "320x240", "--fps", "50"});
  ASSERT_TRUE(server.ready()) << server.log();
  const Path file = directory_ / "captured";
  const Outcome done = run(by_run({"v4l2-ctl", "-d", server.video(), "--stream-mmap", "16", "--stream-count",
                                   std::to_string(kCount), "--stream-to", file}),
                           kCapturing);
  EXPECT_EQ(done.status, 0) << done.err;
  expect_exact(shown, split(bytes_of(file), bytes_of("NV12", kSize)));
  server.end();
}

// The server is mounted by fusermount3, and programs are the same user's.
class CameraUnprivilegedTest : public CameraPagedTest {
 protected:
  void SetUp() override {
    CameraPagedTest::SetUp();
    DMMAP_NEEDS(needs::program("fusermount3"));
    ASSERT_TRUE(let_everyone_open_fuse(device_.path()));
  }
  TemporaryDirectory device_;
};

TEST_F(CameraUnprivilegedTest, FfmpegCapturesEachPicture) {
  DMMAP_NEEDS(needs::program("ffmpeg"));
  ffmpeg_captures_each_picture("UYVY", {.words = {}, .user = kNobody});
}

TEST_F(CameraUnprivilegedTest, SharedBuffersAreRefusedAndTheErrorSaysWhatToDo) {
  CameraServer server(CameraServerOptions{.words = {"--buffers", "shared"}, .user = kNobody});
  EXPECT_FALSE(server.ready());
  EXPECT_EQ(server.process().wait(seconds(20)).status, 1);
  for (const char* part : {"--buffers=shared can't be had here", "CAP_SYS_ADMIN", "or say --buffers=auto"}) {
    EXPECT_NE(server.log().find(part), std::string::npos) << part << " in " << server.log();
  }
}

}  // namespace
}  // namespace dmmap::testing
