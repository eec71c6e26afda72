// What a camera answers to programs that ask for what can't be: in the wrong order, of the wrong kind, and garbage.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "programs/camera_server.h"
#include "programs/capturers.h"
#include "programs/pictures.h"
#include "programs/video_client.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"
#include "support/wish.h"

namespace dmmap::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Size kSize{320, 240};
constexpr std::uint32_t kCapture = V4L2_BUF_TYPE_VIDEO_CAPTURE;
constexpr std::uint32_t kOutput = V4L2_BUF_TYPE_VIDEO_OUTPUT;

class CameraIoctlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::passthrough());
    ASSERT_TRUE(server_.ready()) << server_.log();
  }
  CameraServer server_{{"--size", "320x240", "--fps", "50", "--source", "pattern", "--source", "device"}};
};

TEST_F(CameraIoctlTest, WhatComesTooSoonIsRefused) {
  VideoClient client(server_.video());
  v4l2_buffer buffer{};
  EXPECT_EQ(client.query(0, buffer), EINVAL);
  EXPECT_EQ(client.queue(0), EINVAL);
  EXPECT_EQ(client.dequeue(buffer), EINVAL) << "it would wait for ever";
  EXPECT_EQ(client.stream_on(), EINVAL);
  EXPECT_EQ(client.stream_off(), 0);
  ASSERT_EQ(client.request(2), 0);
  EXPECT_EQ(client.dequeue(buffer), EINVAL);
  EXPECT_EQ(client.poll(milliseconds(0)), POLLERR);
}

TEST_F(CameraIoctlTest, WhatIsDoneAlreadyIsRefusedOrChangesNothing) {
  VideoClient client(server_.video());
  ASSERT_EQ(client.begin(4), 0);
  EXPECT_EQ(client.stream_on(), 0) << "it streams already, as in videobuf2";
  v4l2_requestbuffers wanted{};
  wanted.count = 2;
  wanted.type = kCapture;
  wanted.memory = V4L2_MEMORY_MMAP;
  EXPECT_EQ(client.ask(VIDIOC_REQBUFS, wanted), EBUSY);
  v4l2_format format{};
  format.type = kCapture;
  EXPECT_EQ(client.ask(VIDIOC_G_FMT, format), 0);
  EXPECT_EQ(client.ask(VIDIOC_S_FMT, format), EBUSY);
  v4l2_buffer buffer{};
  ASSERT_EQ(client.dequeue(buffer), 0);
  EXPECT_EQ(client.queue(buffer.index), 0);
  EXPECT_EQ(client.queue(buffer.index), EINVAL) << "it's queued";
  std::array<char, 16> bytes{};
  EXPECT_EQ(::read(client.fd(), bytes.data(), bytes.size()), -1);
  EXPECT_EQ(errno, EBUSY);
  // None of that has done any harm.
  const auto first = client.capture();
  const auto second = client.capture();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->sequence, first->sequence + 1);
  EXPECT_EQ(client.stream_off(), 0);
  EXPECT_EQ(client.stream_off(), 0);
}

TEST_F(CameraIoctlTest, WhatThereIsNotIsRefused) {
  VideoClient client(server_.video());
  ASSERT_EQ(client.request(3), 0);
  v4l2_buffer buffer{};
  EXPECT_EQ(client.query(3, buffer), EINVAL);
  EXPECT_EQ(client.queue(3), EINVAL);
  EXPECT_EQ(client.queue(std::numeric_limits<std::uint32_t>::max()), EINVAL);
  for (const std::uint32_t type : {kOutput, std::uint32_t{V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE},
                                   std::uint32_t{V4L2_BUF_TYPE_VBI_CAPTURE}, std::uint32_t{0}, ~std::uint32_t{0}}) {
    v4l2_buffer other{};
    other.type = type;
    other.memory = V4L2_MEMORY_MMAP;
    EXPECT_EQ(client.ask(VIDIOC_QUERYBUF, other), EINVAL) << type;
    EXPECT_EQ(client.ask(VIDIOC_QBUF, other), EINVAL) << type;
    EXPECT_EQ(client.ask(VIDIOC_DQBUF, other), EINVAL) << type;
    std::uint32_t streamed = type;
    EXPECT_EQ(client.ask(VIDIOC_STREAMON, streamed), EINVAL) << type;
    EXPECT_EQ(client.ask(VIDIOC_STREAMOFF, streamed), EINVAL) << type;
    v4l2_requestbuffers wanted{};
    wanted.count = 1;
    wanted.type = type;
    wanted.memory = V4L2_MEMORY_MMAP;
    EXPECT_EQ(client.ask(VIDIOC_REQBUFS, wanted), EINVAL) << type;
  }
  for (const std::uint32_t memory : {V4L2_MEMORY_USERPTR, V4L2_MEMORY_DMABUF, V4L2_MEMORY_OVERLAY}) {
    v4l2_buffer other{};
    other.type = kCapture;
    other.memory = memory;
    EXPECT_EQ(client.ask(VIDIOC_QBUF, other), EINVAL) << memory;
    v4l2_requestbuffers wanted{};
    wanted.count = 1;
    wanted.type = kCapture;
    wanted.memory = memory;
    EXPECT_EQ(client.ask(VIDIOC_REQBUFS, wanted), EINVAL) << memory;
  }
  v4l2_exportbuffer exported{};
  exported.type = kCapture;
  EXPECT_EQ(client.ask(VIDIOC_EXPBUF, exported), ENOTTY);
  // The three that there were are there.
  EXPECT_EQ(client.query(2, buffer), 0);
  EXPECT_EQ(client.queue(2), 0);
  EXPECT_EQ(client.stream_on(), 0);
  EXPECT_EQ(client.dequeue(buffer), 0);
}

TEST_F(CameraIoctlTest, AsManyBuffersAsThereCanBe) {
  VideoClient client(server_.video());
  ASSERT_EQ(client.request(1000), 0);
  EXPECT_EQ(client.count(), static_cast<unsigned>(VIDEO_MAX_FRAME));
  v4l2_create_buffers more{};
  more.count = 1;
  more.memory = V4L2_MEMORY_MMAP;
  more.format.type = kCapture;
  more.format.fmt.pix = client.format();
  EXPECT_EQ(client.ask(VIDIOC_CREATE_BUFS, more), ENOBUFS);
}

// Until the next picture comes: there's none here, since nobody writes.
class CameraWaitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::passthrough());
    ASSERT_TRUE(server_.ready()) << server_.log();
  }
  TemporaryDirectory directory_;
  FifoWriter fifo_{directory_ / "fifo", ""};
  CameraServer server_{{"--source", "y4m:" + fifo_.path().string(), "--size", "320x240"}};
};

TEST_F(CameraWaitTest, ADequeueWaitsUntilASignalComes) {
  VideoClient client(server_.video());
  ASSERT_EQ(client.begin(2), 0);
  WaitingDequeue waiting(client);
  EXPECT_EQ(waiting.ended(milliseconds(300)), std::nullopt);
  std::optional<int> ended;
  for (int i = 0; i < 100 && !ended; ++i) {
    waiting.interrupt();
    ended = waiting.ended(milliseconds(100));
  }
  EXPECT_EQ(ended, EINTR);
  // And it was no buffer's end.
  v4l2_buffer buffer{};
  EXPECT_EQ(client.query(0, buffer), 0);
  EXPECT_NE(buffer.flags & V4L2_BUF_FLAG_QUEUED, 0U);
}

TEST_F(CameraWaitTest, ADequeueThatWaitsEndsWithTheStream) {
  VideoClient client(server_.video());
  ASSERT_EQ(client.begin(2), 0);
  const WaitingDequeue waiting(client);
  EXPECT_EQ(waiting.ended(milliseconds(100)), std::nullopt);
  EXPECT_EQ(client.stream_off(), 0);
  EXPECT_EQ(waiting.ended(seconds(20)), EINVAL) << "as videobuf2 says it";
}

TEST_F(CameraWaitTest, ADequeueDoesNotWaitThatWasOpenedSo) {
  VideoClient client(server_.video(), O_RDWR | O_NONBLOCK);
  ASSERT_EQ(client.begin(2), 0);
  v4l2_buffer buffer{};
  EXPECT_EQ(client.dequeue(buffer), EAGAIN);
  ASSERT_EQ(::fcntl(client.fd(), F_SETFL, O_RDWR), 0);
  const WaitingDequeue waiting(client);
  EXPECT_EQ(waiting.ended(milliseconds(300)), std::nullopt) << "it waits now";
}

TEST_F(CameraWaitTest, ADequeueDoesNotWaitThatFcntlMadeSo) {
  VideoClient client(server_.video());
  ASSERT_EQ(client.begin(2), 0);
  ASSERT_EQ(::fcntl(client.fd(), F_SETFL, O_RDWR | O_NONBLOCK), 0);
  v4l2_buffer buffer{};
  EXPECT_EQ(client.dequeue(buffer), EAGAIN);
  EXPECT_EQ(client.poll(milliseconds(200)), 0);
}

TEST_F(CameraWaitTest, AReadDoesNotWaitThatWasOpenedSo) {
  const VideoClient client(server_.video(), O_RDONLY | O_NONBLOCK);
  std::array<char, 16> bytes{};
  EXPECT_EQ(::read(client.fd(), bytes.data(), bytes.size()), -1);
  EXPECT_EQ(errno, EAGAIN);
}

// What is nearest to it is given, and told.
TEST_F(CameraIoctlTest, AnySizeCanBeAskedFor) {
  for (const unsigned number : {0U, 1U}) {
    const VideoClient client(server_.video(number));
    for (const std::uint32_t type : {kCapture, kOutput}) {
      if (type == kOutput && number == 0) {
        continue;
      }
      for (const Size size : {Size{0, 0}, Size{1, 1}, Size{321, 241}, Size{17, 4095}, Size{4096, 4096}, Size{4097, 9},
                              Size{~0U, ~0U}, Size{0, ~0U}}) {
        for (const camera::PixelFormat& each : camera::pixel_formats()) {
          v4l2_format asked{};
          asked.type = type;
          asked.fmt.pix.width = size.width;
          asked.fmt.pix.height = size.height;
          asked.fmt.pix.pixelformat = each.fourcc;
          v4l2_format tried = asked;
          ASSERT_EQ(client.ask(VIDIOC_S_FMT, asked), 0);
          ASSERT_EQ(client.ask(VIDIOC_TRY_FMT, tried), 0);
          EXPECT_EQ(std::memcmp(&asked.fmt.pix, &tried.fmt.pix, sizeof asked.fmt.pix), 0);
          const v4l2_pix_format& now = asked.fmt.pix;
          const camera::PixelFormat* const format = camera::find_pixel_format(now.pixelformat);
          ASSERT_NE(format, nullptr);
          const Size given{now.width, now.height};
          EXPECT_EQ(camera::fitting(*format, given), given) << each.name << " " << size.width << "x" << size.height;
          EXPECT_EQ(now.sizeimage, (camera::Layout{format, given}.bytes()));
          if (type == kCapture && number == 0) {  // of the other one it isn't known what will be put in
            EXPECT_LE(given.width, kSize.width);
            EXPECT_LE(given.height, kSize.height);
          }
        }
      }
    }
  }
}

TEST_F(CameraIoctlTest, SizesAndRatesThatNoCameraHasAreRefused) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--size", "0x0"},
                                             {"--size", "15x240"},
                                             {"--size", "320x4097"},
                                             {"--size", "320"},
                                             {"--size", "-1x-1"},
                                             {"--size", "99999999999x240"},
                                             {"--size", "320x240x3"},
                                             {"--fps", "0"},
                                             {"--fps", "-1"},
                                             {"--fps", "1001"},
                                             {"--fps", "1/0"},
                                             {"--fps", "nan"},
                                             {"--fps", "inf"},
                                             {"--source", "raw:YUYV:-"},
                                             {"--source", "raw:MJPEG:-", "--size", "320x240"},
                                             {"--source", "raw:YUYV:-", "--size", "321x240"},
                                             {"--source", "nothing"},
                                             {"--source", "file:"},
                                             {"--source", "file:/nowhere/at/all"}}) {
    std::vector<std::string> all{DMMAP_PROGRAM, "camera", server_.directory()};
    all.insert(all.end(), words.begin(), words.end());
    const Outcome refused = run(all, kCapturing);
    EXPECT_FALSE(refused.timed_out) << words[0] << " " << words[1];
    EXPECT_TRUE(refused.status == 1 || refused.status == 2) << words[0] << " " << words[1] << ": " << refused.status;
    EXPECT_TRUE(refused.err.starts_with("dmmap camera: ")) << refused.err;
  }
}

// All that V4L2 has, as it's called: numbers, directions and sizes.
constexpr std::array kKnown{VIDIOC_QUERYCAP,
                            VIDIOC_ENUM_FMT,
                            VIDIOC_G_FMT,
                            VIDIOC_S_FMT,
                            VIDIOC_REQBUFS,
                            VIDIOC_QUERYBUF,
                            VIDIOC_QBUF,
                            VIDIOC_EXPBUF,
                            VIDIOC_DQBUF,
                            VIDIOC_STREAMON,
                            VIDIOC_STREAMOFF,
                            VIDIOC_G_PARM,
                            VIDIOC_S_PARM,
                            VIDIOC_ENUMINPUT,
                            VIDIOC_G_CTRL,
                            VIDIOC_S_CTRL,
                            VIDIOC_QUERYCTRL,
                            VIDIOC_QUERYMENU,
                            VIDIOC_G_INPUT,
                            VIDIOC_S_INPUT,
                            VIDIOC_G_OUTPUT,
                            VIDIOC_S_OUTPUT,
                            VIDIOC_ENUMOUTPUT,
                            VIDIOC_CROPCAP,
                            VIDIOC_TRY_FMT,
                            VIDIOC_G_PRIORITY,
                            VIDIOC_S_PRIORITY,
                            VIDIOC_G_EXT_CTRLS,
                            VIDIOC_S_EXT_CTRLS,
                            VIDIOC_TRY_EXT_CTRLS,
                            VIDIOC_ENUM_FRAMESIZES,
                            VIDIOC_ENUM_FRAMEINTERVALS,
                            VIDIOC_DQEVENT,
                            VIDIOC_SUBSCRIBE_EVENT,
                            VIDIOC_UNSUBSCRIBE_EVENT,
                            VIDIOC_CREATE_BUFS,
                            VIDIOC_PREPARE_BUF,
                            VIDIOC_G_SELECTION,
                            VIDIOC_S_SELECTION,
                            VIDIOC_QUERY_EXT_CTRL};
constexpr unsigned kNumbers = 104;

class Garbage {
 public:
  explicit Garbage(std::uint32_t seed) : random_(seed) {}

  std::vector<unsigned long> commands() {
    std::vector<unsigned long> all(kKnown.begin(), kKnown.end());
    all.insert(all.end(), kKnown.begin(), kKnown.end());
    for (unsigned number = 0; number < kNumbers; ++number) {
      all.push_back(_IOC(below(4), 'V', number, below(1U << _IOC_SIZEBITS)));
    }
    std::shuffle(all.begin(), all.end(), random_);
    return all;
  }
  // Words that a device takes for types, counts, indices and so on are more likely than others.
  void fill(std::vector<std::uint32_t>& words) {
    const std::uint32_t kind = below(3);
    for (std::uint32_t& each : words) {
      each = kind == 0 || (kind == 1 && below(4) == 0) ? static_cast<std::uint32_t>(random_()) : below(4);
    }
  }

 private:
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_()) % limit; }
  std::mt19937 random_;
};

TEST_F(CameraIoctlTest, GarbageHarmsNobody) {
  constexpr unsigned kRounds = 6;
  constexpr std::size_t kWords = 1U << (_IOC_SIZEBITS - 2);
  const int seed = wished("DMMAP_CAMERA_SEED", static_cast<int>(std::random_device()() >> 1U));
  SCOPED_TRACE("DMMAP_CAMERA_SEED=" + std::to_string(seed));
  VideoClient other(server_.video());
  ASSERT_EQ(other.set_format("YUYV", kSize), 0);
  ASSERT_EQ(other.begin(8), 0);
  std::optional<std::uint32_t> last;
  std::vector<std::uint32_t> words(kWords);
  Garbage garbage(static_cast<std::uint32_t>(seed));
  for (unsigned round = 0; round < kRounds; ++round) {
    VideoClient client(server_.video(round % 2), O_RDWR | O_NONBLOCK);
    if (round % 4 >= 2) {
      ASSERT_EQ(client.begin(4), 0);
    }
    int asked = 0;
    for (const unsigned long command : garbage.commands()) {
      garbage.fill(words);
      ::ioctl(client.fd(), command, words.data());
      if (++asked % 32 == 0) {
        const auto shown = other.capture();
        ASSERT_TRUE(shown) << "others' pictures go on";
        ASSERT_TRUE(shown->marks.whole()) << "and are whole";
        ASSERT_TRUE(!last || *shown->marks.whole() > *last) << "one after the other";
        last = shown->marks.whole();
      }
    }
  }
  ASSERT_TRUE(server_.process().running());
  EXPECT_EQ(other.stream_off(), 0);
  VideoClient fresh(server_.video());
  EXPECT_EQ(fresh.begin(2), 0);
  EXPECT_TRUE(fresh.capture());
}

}  // namespace
}  // namespace dmmap::testing
