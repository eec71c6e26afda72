// Sources, producers and consumers of a camera that do what they shouldn't, or end in the middle of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "programs/camera_server.h"
#include "programs/capturers.h"
#include "programs/pictures.h"
#include "programs/video_client.h"
#include "support/files.h"
#include "support/mounts.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"
#include "support/text.h"

namespace dmmap::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Path = std::filesystem::path;

constexpr Size kSize{320, 240};
constexpr Size kSmall{160, 128};
constexpr seconds kPatience{20};
constexpr std::size_t kCount = 20;

class CameraTroubleTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(needs::passthrough()); }
  TemporaryDirectory directory_;
};

ssize_t write_all(const VideoClient& client, const std::string& bytes) {
  return ::write(client.fd(), bytes.data(), bytes.size());
}

// The numbers of the pictures that come within that time of silence.
std::vector<std::optional<std::uint32_t>> numbers_of(const VideoClient& client, milliseconds silence) {
  std::vector<std::optional<std::uint32_t>> numbers;
  while (const auto shown = client.capture(silence)) {
    numbers.push_back(shown->marks.whole());
  }
  return numbers;
}

using Numbers = std::vector<std::optional<std::uint32_t>>;

// What puts pictures in, and what captures them.
class CameraProducerTest : public CameraTroubleTest {
 protected:
  void SetUp() override {
    CameraTroubleTest::SetUp();
    ASSERT_TRUE(server_.ready()) << server_.log();
    ASSERT_EQ(consumer_.set_format("GREY", kSize), 0);
    ASSERT_EQ(consumer_.begin(8), 0);
    EXPECT_TRUE(wait_until([&] { return server_.status().find(R"("running":true)") != std::string::npos; }, kPatience));
  }
  const Pictures pictures_ = marked_pictures(kCount, kSize);
  CameraServer server_{{"--source", "device", "--size", "320x240"}};
  VideoClient consumer_{server_.video()};
};

TEST_F(CameraProducerTest, ASecondOneIsRefused) {
  VideoClient first(server_.video());
  ASSERT_EQ(first.set_format("GREY", kSize, V4L2_BUF_TYPE_VIDEO_OUTPUT), 0);
  ASSERT_EQ(first.request(2, V4L2_BUF_TYPE_VIDEO_OUTPUT), 0);
  {
    VideoClient second(server_.video());
    EXPECT_EQ(second.set_format("GREY", kSize, V4L2_BUF_TYPE_VIDEO_OUTPUT), EBUSY);
    EXPECT_EQ(second.request(2, V4L2_BUF_TYPE_VIDEO_OUTPUT), EBUSY);
    EXPECT_EQ(write_all(second, pictures_[0]), -1);
    EXPECT_EQ(errno, EBUSY);
    EXPECT_EQ(second.begin(2), 0) << "but it can capture";
  }
  std::copy(pictures_[3].begin(), pictures_[3].end(), first.memory(0));
  ASSERT_EQ(first.queue(0, pictures_[3].size()), 0);
  ASSERT_EQ(first.stream_on(), 0);
  EXPECT_EQ(numbers_of(consumer_, milliseconds(500)), Numbers{3});
  ASSERT_EQ(first.stream_off(), 0);
  ASSERT_EQ(first.request(0, V4L2_BUF_TYPE_VIDEO_OUTPUT), 0);
  const VideoClient third(server_.video(), O_WRONLY);
  EXPECT_EQ(write_all(third, std::string(320 * 240 * 2, '\0')), 320 * 240 * 2) << "the first has left";
}

// STREAMON has returned: from then on somebody looks.
TEST_F(CameraProducerTest, WhoLooksMissesNothingThatIsPutInThen) {
  ASSERT_EQ(consumer_.stream_off(), 0);
  const VideoClient producer(server_.video(), O_WRONLY);
  const std::string picture(bytes_of("YUYV", kSize), '\x80');
  for (int round = 0; round < 100; ++round) {
    ASSERT_EQ(consumer_.begin(2), 0);
    ASSERT_EQ(write_all(producer, picture), static_cast<ssize_t>(picture.size()));
    ASSERT_TRUE(consumer_.capture(seconds(2))) << "in round " << round;
    ASSERT_EQ(consumer_.stream_off(), 0);
  }
}

TEST_F(CameraProducerTest, APictureThatIsNotWholeIsNotShown) {
  {
    VideoClient producer(server_.video());
    ASSERT_EQ(producer.set_format("GREY", kSize, V4L2_BUF_TYPE_VIDEO_OUTPUT), 0);
    const std::string half = pictures_[1].substr(0, pictures_[1].size() / 2);
    const std::string bytes = pictures_[0] + half;
    ASSERT_EQ(write_all(producer, bytes), static_cast<ssize_t>(bytes.size()));
    EXPECT_EQ(numbers_of(consumer_, milliseconds(500)), Numbers{0});
  }
  EXPECT_TRUE(server_.says("left a picture that isn't whole: 38400 of 76800 bytes"));
  // The next one's picture begins at its first byte.
  VideoClient next(server_.video());
  ASSERT_EQ(next.set_format("GREY", kSize, V4L2_BUF_TYPE_VIDEO_OUTPUT), 0);
  ASSERT_EQ(write_all(next, pictures_[7]), static_cast<ssize_t>(pictures_[7].size()));
  EXPECT_EQ(numbers_of(consumer_, milliseconds(500)), Numbers{7});
}

TEST_F(CameraProducerTest, ABufferThatIsNotFullIsNotShown) {
  VideoClient producer(server_.video());
  ASSERT_EQ(producer.set_format("GREY", kSize, V4L2_BUF_TYPE_VIDEO_OUTPUT), 0);
  ASSERT_EQ(producer.request(3, V4L2_BUF_TYPE_VIDEO_OUTPUT), 0);
  for (unsigned i = 0; i < 3; ++i) {
    std::copy(pictures_[i].begin(), pictures_[i].end(), producer.memory(i));
  }
  EXPECT_EQ(producer.queue(0, ~std::uint32_t{0}), EINVAL) << "more than the buffer has";
  ASSERT_EQ(producer.queue(0, pictures_[0].size()), 0);
  ASSERT_EQ(producer.queue(1, 100), 0);
  ASSERT_EQ(producer.queue(2, pictures_[2].size()), 0);
  ASSERT_EQ(producer.stream_on(), 0);
  EXPECT_EQ(numbers_of(consumer_, milliseconds(500)), (Numbers{0, 2}));
  for (unsigned i = 0; i < 3; ++i) {
    v4l2_buffer buffer{};
    ASSERT_EQ(producer.dequeue(buffer), 0);
    EXPECT_EQ((buffer.flags & V4L2_BUF_FLAG_ERROR) != 0, buffer.index == 1) << buffer.index;
  }
}

// More than are kept for who captures: the writer waits, and then it's the camera that takes the rest.
TEST_F(CameraProducerTest, WritesOfManyPicturesAreShownInTheirOrder) {
  VideoClient producer(server_.video());
  ASSERT_EQ(producer.set_format("GREY", kSize, V4L2_BUF_TYPE_VIDEO_OUTPUT), 0);
  constexpr unsigned kTimes = 15;
  std::string bytes;
  for (unsigned i = 0; i < kTimes; ++i) {
    bytes += joined(pictures_);
  }
  std::thread writer([&producer, &bytes] {
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t n = ::write(producer.fd(), bytes.data() + at, bytes.size() - at);
      ASSERT_GT(n, 0);
      at += static_cast<std::size_t>(n);
    }
  });
  std::optional<VideoClient::Shown> last;
  unsigned taken = 0;
  while (const auto shown = consumer_.capture(seconds(1))) {
    const auto number = shown->marks.whole();
    EXPECT_TRUE(number);
    // Those that it had no buffer for are missing from both.
    if (last && number) {
      EXPECT_EQ((*last->marks.whole() + shown->sequence - last->sequence) % kCount, *number) << "after " << taken;
    }
    last = shown;
    ++taken;
  }
  writer.join();
  EXPECT_GT(taken, kCount);
  EXPECT_EQ(producer.set_format("GREY", kSmall, V4L2_BUF_TYPE_VIDEO_OUTPUT), EBUSY) << "it's in the middle of it";
}

// Whoever captures keeps the size that it asked for.
TEST_F(CameraProducerTest, TheNextOnesSizeAndFormatAreOthers) {
  const Pictures small = marked_pictures(4, kSmall);
  Pictures yuyv(4);
  for (std::size_t i = 0; i < yuyv.size(); ++i) {
    for (const char luma : small[i]) {
      yuyv[i] += luma;
      yuyv[i] += static_cast<char>(128);
    }
  }
  const auto puts_in = [&](const std::string& format, Size size, const std::string& picture) {
    VideoClient producer(server_.video(), O_WRONLY);
    EXPECT_EQ(producer.set_format(format, size, V4L2_BUF_TYPE_VIDEO_OUTPUT), 0);
    EXPECT_EQ(write_all(producer, picture), static_cast<ssize_t>(picture.size()));
    return numbers_of(consumer_, milliseconds(500));
  };
  EXPECT_EQ(puts_in("GREY", kSize, pictures_[0]), Numbers{0});
  EXPECT_EQ(puts_in("YUYV", kSmall, yuyv[1]), Numbers{1});
  EXPECT_EQ(puts_in("GREY", kSmall, small[2]), Numbers{2});
  EXPECT_EQ(puts_in("GREY", kSize, pictures_[3]), Numbers{3});
}

// Files and pipes that are broken, end, or never begin.
TEST_F(CameraTroubleTest, ADamagedFilmIsShownAsFarAsItGoes) {
  encode(marked_pictures(50, kSize), "gray", kSize, {"-c:v", "mjpeg", "-q:v", "3"}, directory_ / "film.avi");
  const auto bytes = std::filesystem::file_size(directory_ / "film.avi");
  for (std::uint64_t at = bytes / 3; at < bytes * 2 / 3; at += 97) {
    flip_bit(directory_ / "film.avi", at, static_cast<unsigned>(at % 8));
  }
  CameraServer server({"--source", "file:" + (directory_ / "film.avi").string()});
  ASSERT_TRUE(server.ready()) << server.log();
  VideoClient client(server.video());
  ASSERT_EQ(client.set_format("GREY", kSize), 0);
  ASSERT_EQ(client.begin(8), 0);
  // All of it and a part of the next round.
  std::optional<std::uint32_t> first;
  bool again = false;
  for (int i = 0; i < 200 && !again; ++i) {
    const auto shown = client.capture();
    ASSERT_TRUE(shown) << "it goes on";
    const auto number = shown->marks.whole();
    again = first && number == first;
    first = first ? first : number;
  }
  EXPECT_TRUE(again) << "it begins anew when it ends";
}

TEST_F(CameraTroubleTest, WhatIsNoFilmIsRefusedAtOnce) {
  save(directory_ / "noise", noise_pictures(1, 100'000)[0]);
  save(directory_ / "empty", "");
  for (const std::string& source :
       {"file:" + (directory_ / "noise").string(), "file:" + (directory_ / "empty").string(),
        "y4m:" + (directory_ / "noise").string(), "y4m:" + (directory_ / "empty").string(),
        "file:" + directory_.path().string(), "y4m:" + directory_.path().string()}) {
    const Outcome refused = run({DMMAP_PROGRAM, "camera", directory_.path(), "--source", source}, kPatience);
    EXPECT_EQ(refused.status, 1) << source;
    EXPECT_TRUE(refused.err.starts_with("dmmap camera: ")) << refused.err;
    EXPECT_FALSE(is_mounted(directory_.path()));
  }
}

TEST_F(CameraTroubleTest, ABrokenStreamEndsAndTheNextWritersIsShown) {
  const Pictures shown = marked_pictures(3, kSize);
  FifoWriter broken(directory_ / "fifo", y4m_of(shown, kSize, "mono", "50:1") + "GARBAGE\n" + std::string(1000, 'x'));
  CameraServer server({"--source", "y4m:" + broken.path().string(), "--size", "320x240", "--fps", "50"});
  ASSERT_TRUE(server.ready()) << server.log();
  VideoClient client(server.video());
  ASSERT_EQ(client.set_format("GREY", kSize), 0);
  ASSERT_EQ(client.begin(8), 0);
  broken.start();
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto one = client.capture();
    ASSERT_TRUE(one);
    EXPECT_EQ(one->marks.whole(), i);
  }
  v4l2_buffer buffer{};
  EXPECT_EQ(client.dequeue(buffer), EIO);
  EXPECT_NE(client.poll(seconds(0)) & POLLERR, 0);
  EXPECT_TRUE(server.says("something else where a picture's FRAME line is to be"));
  // Who looks anew, and another writer, when the rest of the first one's is out of the way: a FIFO has no other mark.
  ASSERT_EQ(client.stream_off(), 0);
  ASSERT_EQ(client.begin(8), 0);
  EXPECT_EQ(client.poll(milliseconds(300)), 0);
  const std::string whole = y4m_of(shown, kSize, "mono", "50:1");
  const UniqueFd fifo(::open(broken.path().c_str(), O_WRONLY | O_CLOEXEC));
  std::thread writer([&] {
    for (std::size_t at = 0; at < whole.size();) {
      const ssize_t n = ::write(fifo.get(), whole.data() + at, whole.size() - at);
      if (n <= 0) {
        return;
      }
      at += static_cast<std::size_t>(n);
    }
  });
  const auto first = client.capture();
  writer.join();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->marks.whole(), 0U);
}

TEST_F(CameraTroubleTest, AFilmFromStandardInputEnds) {
  const Pictures shown = marked_pictures(5, kSize);
  FifoWriter input(directory_ / "input", y4m_of(shown, kSize, "mono", "50:1"));
  input.start();
  CameraServer server(
      CameraServerOptions{.words = {"--source", "y4m:-", "--size", "320x240", "--fps", "50"}, .input = input.path()});
  ASSERT_TRUE(server.ready()) << server.log();
  VideoClient client(server.video());
  ASSERT_EQ(client.set_format("GREY", kSize), 0);
  ASSERT_EQ(client.begin(8), 0);
  EXPECT_EQ(numbers_of(client, seconds(2)), (Numbers{0, 1, 2, 3, 4}));
  v4l2_buffer buffer{};
  EXPECT_EQ(client.dequeue(buffer), EIO);
  EXPECT_EQ(client.dequeue(buffer), EIO);
  EXPECT_TRUE(server.says("there are no more pictures"));
}

// cat, by its path: the end of the film is the end of the file.
TEST_F(CameraTroubleTest, AReadFindsTheEndOfAFilm) {
  const Pictures shown = noise_pictures(4, bytes_of("NV12", kSize));
  save(directory_ / "shown", joined(shown) + "part of one more");
  CameraServer server({"--source", "raw:NV12:" + (directory_ / "shown").string(), "--size", "320x240", "--fps", "50"});
  ASSERT_TRUE(server.ready()) << server.log();
  const Outcome cat = run({"cat", server.video()}, kPatience);
  EXPECT_FALSE(cat.timed_out);
  EXPECT_EQ(cat.status, 0) << cat.err;
  expect_exact(shown, split(cat.out, bytes_of("NV12", kSize)));
  EXPECT_TRUE(server.says("its end cut a picture off"));
  server.end();
}

TEST_F(CameraTroubleTest, AConsumerThatIsStoppedOrKilledHarmsNobody) {
  DMMAP_NEEDS(needs::program("ffmpeg"));
  CameraServer server({"--size", "320x240", "--fps", "50"});
  ASSERT_TRUE(server.ready()) << server.log();
  Process ffmpeg(ffmpeg_capture(server.video(), "YUYV", kSize, 100'000, "/dev/null"));
  ASSERT_TRUE(server.says("captures YUYV 320x240 at 50 fps, 32 buffers"));
  VideoClient client(server.video());
  ASSERT_EQ(client.set_format("YUYV", kSize), 0);
  ASSERT_EQ(client.begin(8), 0);
  InOrder order;
  const auto goes_on = [&](int pictures) {
    for (int i = 0; i < pictures; ++i) {
      ASSERT_TRUE(order.next(client.capture()));
    }
    EXPECT_LE(order.left_out(), server.left_out());
  };
  goes_on(10);
  ffmpeg.kill(SIGSTOP);
  goes_on(50);  // more than it has buffers
  ffmpeg.kill(SIGKILL);
  goes_on(10);
  EXPECT_FALSE(ffmpeg.wait(kPatience).timed_out);
  EXPECT_TRUE(server.says("pictures, "));
  EXPECT_TRUE(wait_until([&] { return server.status().find("ffmpeg") == std::string::npos; }, kPatience));
}

TEST_F(CameraTroubleTest, AKilledServersClientsDoNotHang) {
  DMMAP_NEEDS(needs::program("ffmpeg"));
  FifoWriter silent(directory_ / "fifo", "");
  CameraServer server({"--source", "pattern", "--source", "y4m:" + silent.path().string(), "--size", "320x240"});
  ASSERT_TRUE(server.ready()) << server.log();
  Process ffmpeg(ffmpeg_capture(server.video(0), "YUYV", kSize, 100'000, "/dev/null"));
  ASSERT_TRUE(server.says("captures YUYV 320x240"));
  VideoClient waiter(server.video(1));
  ASSERT_EQ(waiter.begin(2), 0);
  const WaitingDequeue waiting(waiter);
  Process cat({"cat", server.video(1)});
  ASSERT_TRUE(server.says("by read"));
  EXPECT_EQ(waiting.ended(milliseconds(100)), std::nullopt);
  server.process().kill(SIGKILL);
  EXPECT_EQ(server.process().wait(kPatience).status, 128 + SIGKILL);
  const auto ended = waiting.ended(kPatience);
  ASSERT_TRUE(ended) << "a dequeue was left waiting";
  EXPECT_TRUE(*ended == ECONNABORTED || *ended == ENOTCONN) << ::strerrorname_np(*ended);
  EXPECT_FALSE(ffmpeg.wait(kPatience).timed_out) << "ffmpeg waits for ever";
  EXPECT_FALSE(cat.wait(kPatience).timed_out) << "cat waits for ever";
  EXPECT_TRUE(wait_until([&] { return !is_mounted(server.mountpoint()); }, kPatience)) << "the watcher unmounts";
  // What it had mapped can still be looked at.
  EXPECT_EQ(waiter.memory(0)[0], 0);
}

TEST_F(CameraTroubleTest, AServerEndsWhileClientsWait) {
  FifoWriter silent(directory_ / "fifo", "");
  CameraServer server({"--source", "y4m:" + silent.path().string()});
  ASSERT_TRUE(server.ready()) << server.log();
  VideoClient waiter(server.video());
  ASSERT_EQ(waiter.begin(2), 0);
  const WaitingDequeue waiting(waiter);
  Process cat({"cat", server.video()});
  ASSERT_TRUE(server.says("by read"));
  EXPECT_EQ(waiting.ended(milliseconds(100)), std::nullopt);
  server.end();
  EXPECT_NE(waiting.ended(kPatience), std::nullopt) << "a dequeue was left waiting";
  EXPECT_FALSE(cat.wait(kPatience).timed_out) << "cat waits for ever";
}

}  // namespace
}  // namespace dmmap::testing
