// Many who capture from one camera at once, each in its own way, and none of whom is in another's.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/videodev2.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "programs/camera_server.h"
#include "programs/capturers.h"
#include "programs/pictures.h"
#include "programs/video_client.h"
#include "support/mounts.h"
#include "support/proc_status.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/sanitizers.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Size kSize{640, 480};
constexpr seconds kPatience{20};

class CameraConsumersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DMMAP_NEEDS(needs::passthrough());
    ASSERT_TRUE(server_.ready()) << server_.log();
  }
  nlohmann::json status() { return nlohmann::json::parse(server_.status()); }

  CameraServer server_{{"--size", "640x480", "--fps", "50"}};
};

struct Wish {
  const char* format = "";
  Size size;
  unsigned buffers = 0;
};
// Those whose marks can be read: of a picture that's big enough, and has luma or grey at a byte's place.
constexpr std::array kWishes{Wish{"YUYV", {640, 480}, 2},  Wish{"NV12", {640, 480}, 4},  Wish{"GREY", {320, 240}, 8},
                             Wish{"YU12", {640, 360}, 3},  Wish{"RGB24", {320, 240}, 5}, Wish{"BGR24", {352, 288}, 2},
                             Wish{"GREY", {640, 480}, 32}, Wish{"YUYV", {320, 240}, 6}};

std::vector<std::unique_ptr<VideoClient>> clients_of(const CameraServer& server, std::size_t count) {
  std::vector<std::unique_ptr<VideoClient>> clients;
  for (std::size_t i = 0; i < count; ++i) {
    const Wish& wish = kWishes.at(i % kWishes.size());
    clients.push_back(std::make_unique<VideoClient>(server.video()));
    EXPECT_EQ(clients.back()->set_format(wish.format, wish.size), 0);
    EXPECT_EQ(clients.back()->size(), wish.size);
    EXPECT_EQ(clients.back()->begin(wish.buffers), 0);
    EXPECT_EQ(clients.back()->count(), wish.buffers);
  }
  return clients;
}

// A picture each, whole and later than the last one; what's missing is missing by its sequence, too.
void expect_all_go_on(const CameraServer& server, const std::vector<std::unique_ptr<VideoClient>>& clients,
                      int pictures) {
  std::vector<InOrder> orders(clients.size());
  for (int round = 0; round < pictures; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i) {
      ASSERT_TRUE(orders[i].next(clients[i]->capture())) << "client " << i;
    }
  }
  const unsigned left_out = server.left_out();
  for (const InOrder& each : orders) {
    EXPECT_LE(each.left_out(), left_out);
  }
}

TEST_F(CameraConsumersTest, EachHasItsFormatItsSizeAndItsBuffers) {
  const auto clients = clients_of(server_, kWishes.size());
  expect_all_go_on(server_, clients, 30);
  // They are asked what they have when others have something else.
  for (std::size_t i = 0; i < kWishes.size(); ++i) {
    v4l2_format now{};
    now.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    ASSERT_EQ(clients[i]->ask(VIDIOC_G_FMT, now), 0);
    EXPECT_EQ(now.fmt.pix.pixelformat, format_of(kWishes.at(i).format).fourcc);
    EXPECT_EQ((Size{now.fmt.pix.width, now.fmt.pix.height}), kWishes.at(i).size);
  }
}

TEST_F(CameraConsumersTest, SixtyFourCaptureAtOnce) {
  const auto clients = clients_of(server_, 64);
  expect_all_go_on(server_, clients, 5);
  EXPECT_EQ(status()["streams"].size(), 64U);
}

TEST_F(CameraConsumersTest, ASlowOneMissesPicturesAlone) {
  constexpr unsigned kPictures = 50;
  VideoClient slow(server_.video());
  ASSERT_EQ(slow.set_format("GREY", kSize), 0);
  ASSERT_EQ(slow.begin(2), 0);
  VideoClient quick(server_.video());
  ASSERT_EQ(quick.set_format("GREY", kSize), 0);
  ASSERT_EQ(quick.begin(16), 0);
  InOrder order;
  for (unsigned i = 0; i < kPictures; ++i) {
    const auto shown = quick.capture();
    ASSERT_TRUE(order.next(shown));
    EXPECT_EQ(shown->sequence, i) << "it misses none";
  }
  // Its two are the first two; then there's a gap, as wide as what it has missed.
  const auto first = slow.capture();
  const auto second = slow.capture();
  const auto third = slow.capture();
  ASSERT_TRUE(first && second && third);
  EXPECT_EQ(first->sequence, 0U);
  EXPECT_EQ(second->sequence, 1U);
  EXPECT_GE(third->sequence, kPictures - 5);
  InOrder slow_order;
  for (const auto& each : {first, second, third}) {
    EXPECT_TRUE(slow_order.next(each));
  }
  EXPECT_LE(std::max(order.left_out(), slow_order.left_out()), server_.left_out());
}

TEST_F(CameraConsumersTest, TheRateIsEachOnesOwn) {
  VideoClient client(server_.video());
  ASSERT_EQ(client.set_format("GREY", kSize), 0);
  v4l2_streamparm wanted{};
  wanted.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  wanted.parm.capture.timeperframe = {.numerator = 1, .denominator = 10};
  ASSERT_EQ(client.ask(VIDIOC_S_PARM, wanted), 0);
  EXPECT_EQ(wanted.parm.capture.timeperframe.denominator, 10U);
  ASSERT_EQ(client.begin(4), 0);
  std::optional<VideoClient::Shown> last;
  for (int i = 0; i < 10; ++i) {
    const auto shown = client.capture();
    ASSERT_TRUE(shown && shown->marks.whole());
    if (last) {
      EXPECT_TRUE(*shown->marks.whole() == *last->marks.whole() + 5 || server_.left_out() > 0);
      EXPECT_EQ(shown->sequence, last->sequence + 1) << "it isn't said to have missed any";
    }
    last = shown;
  }
}

// REQBUFS gives up the memory of what it frees.
TEST_F(CameraConsumersTest, SizesChangeBetweenTwoStreamsAndMemoryIsGivenBack) {
  VideoClient client(server_.video());
  const std::string server = std::to_string(server_.process().pid());
  const auto round = [&](const Wish& wish) {
    ASSERT_EQ(client.request(0), 0);
    ASSERT_EQ(client.set_format(wish.format, wish.size), 0);
    ASSERT_EQ(client.begin(wish.buffers), 0);
    const auto shown = client.capture();
    ASSERT_TRUE(shown && shown->marks.whole()) << wish.format;
    ASSERT_EQ(client.stream_off(), 0);
  };
  for (const Wish& wish : kWishes) {
    round(wish);
  }
  const std::size_t before = proc_status(server, "RssShmem:");
  for (int i = 0; i < 5; ++i) {
    for (const Wish& wish : kWishes) {
      round(wish);
    }
  }
  // The largest wish is of 10 MB; all together, and never given back, they'd be 150.
  EXPECT_LT(proc_status(server, "RssShmem:"), before + 30'000) << "kB";
}

TEST_F(CameraConsumersTest, AFreedBuffersMappingHarmsNobody) {
  VideoClient client(server_.video());
  ASSERT_EQ(client.set_format("GREY", kSize), 0);
  ASSERT_EQ(client.begin(4), 0);
  ASSERT_TRUE(client.capture());
  v4l2_buffer buffer{};
  ASSERT_EQ(client.query(0, buffer), 0);
  auto* const old = static_cast<volatile std::uint8_t*>(
      ::mmap(nullptr, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, client.fd(), buffer.m.offset));
  ASSERT_NE(static_cast<volatile void*>(old), MAP_FAILED);
  ASSERT_EQ(client.stream_off(), 0);
  ASSERT_EQ(client.begin(4), 0);
  // It's empty, and is scribbled on while other buffers are filled.
  EXPECT_TRUE(std::all_of(old, old + buffer.length, [](std::uint8_t each) { return each == 0; }));
  for (int i = 0; i < 20; ++i) {
    for (std::size_t at = 0; at < buffer.length; at += 64) {
      old[at] = static_cast<std::uint8_t>(old[at] + 1);
    }
    const auto shown = client.capture();
    ASSERT_TRUE(shown);
    EXPECT_TRUE(shown->marks.whole());
  }
  ::munmap(const_cast<std::uint8_t*>(old), buffer.length);
}

TEST_F(CameraConsumersTest, BuffersAreAddedWhileItStreams) {
  VideoClient client(server_.video());
  ASSERT_EQ(client.set_format("GREY", kSize), 0);
  ASSERT_EQ(client.begin(2), 0);
  v4l2_create_buffers more{};
  more.count = 2;
  more.memory = V4L2_MEMORY_MMAP;
  more.format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  more.format.fmt.pix = client.format();
  more.format.fmt.pix.sizeimage *= 2;
  ASSERT_EQ(client.ask(VIDIOC_CREATE_BUFS, more), 0);
  EXPECT_EQ(more.index, 2U);
  EXPECT_EQ(more.count, 2U);
  ASSERT_EQ(client.queue(2), 0);
  ASSERT_EQ(client.queue(3), 0);
  v4l2_buffer added{};
  ASSERT_EQ(client.query(2, added), 0);
  EXPECT_GE(added.length, client.format().sizeimage * 2);
  void* const memory = ::mmap(nullptr, added.length, PROT_READ, MAP_SHARED, client.fd(), added.m.offset);
  ASSERT_NE(memory, MAP_FAILED);
  std::array<int, 4> seen{};
  for (unsigned i = 0; i < 12; ++i) {
    v4l2_buffer buffer{};
    ASSERT_EQ(client.dequeue(buffer), 0);
    ++seen.at(buffer.index);
    if (buffer.index == 2) {
      EXPECT_EQ(buffer.bytesused, client.format().sizeimage);
      EXPECT_TRUE(camera::read_frame_mark(static_cast<const std::uint8_t*>(memory), kSize.width, kSize));
    }
    ASSERT_EQ(client.queue(buffer.index), 0);
  }
  EXPECT_EQ(seen, (std::array<int, 4>{3, 3, 3, 3}));
  ::munmap(memory, added.length);
  more.format.fmt.pix.sizeimage = client.format().sizeimage - 1;
  EXPECT_EQ(client.ask(VIDIOC_CREATE_BUFS, more), EINVAL) << "no picture fits";
}

TEST_F(CameraConsumersTest, StatusTellsWhatThereIs) {
  DMMAP_NEEDS(needs::program("ffmpeg"));
  const nlohmann::json idle = status();
  EXPECT_EQ(idle["server"], "dmmap camera");
  EXPECT_TRUE(idle["streams"].empty());
  ASSERT_EQ(idle["devices"].size(), 1U);
  EXPECT_EQ(idle["devices"][0]["device"], "video0");
  EXPECT_EQ(idle["devices"][0]["running"], false);
  EXPECT_EQ(idle["devices"][0]["width"], 640);
  EXPECT_EQ(idle["devices"][0]["height"], 480);
  EXPECT_EQ(idle["devices"][0]["rate"], 50.0);
  {
    Process ffmpeg(ffmpeg_capture(server_.video(), "NV12", {320, 240}, 100'000, "/dev/null"));
    ASSERT_TRUE(server_.says("captures NV12 320x240"));
    VideoClient slow(server_.video());
    ASSERT_EQ(slow.set_format("YUYV", kSize), 0);
    ASSERT_EQ(slow.begin(3), 0);
    const VideoClient looker(server_.video());
    std::this_thread::sleep_for(milliseconds(500));
    const nlohmann::json now = status();
    ASSERT_EQ(now["streams"].size(), 3U) << now;
    const auto of = [&now](std::size_t index, const char* key) { return now["streams"][index][key]; };
    EXPECT_EQ(of(0, "program"), "ffmpeg");
    EXPECT_EQ(of(0, "pid"), ffmpeg.pid());
    EXPECT_EQ(of(0, "state"), "captures");
    EXPECT_EQ(of(0, "path"), "mmap");
    EXPECT_EQ(of(0, "format"), "NV12");
    EXPECT_EQ(of(0, "width"), 320);
    EXPECT_EQ(of(0, "buffers"), 32);
    EXPECT_GE(of(0, "pictures"), 10);
    EXPECT_EQ(of(0, "dropped"), 0);
    EXPECT_EQ(of(1, "pid"), ::getpid());
    EXPECT_EQ(of(1, "format"), "YUYV");
    EXPECT_EQ(of(1, "pictures"), 3) << "as many as it has buffers";
    EXPECT_EQ(of(1, "queued"), 0);
    EXPECT_GE(of(1, "dropped"), 10);
    EXPECT_EQ(of(2, "state"), "idle");
    EXPECT_EQ(of(2, "path"), "");
    EXPECT_EQ(now["devices"][0]["running"], true);
    EXPECT_GE(now["devices"][0]["pictures"], of(0, "pictures"));
    ffmpeg.kill(SIGKILL);
    ffmpeg.wait(kPatience);
  }
  EXPECT_TRUE(
      wait_until([&] { return status()["streams"].empty() && status()["devices"][0]["running"] == false; }, kPatience))
      << status();
}

// User and system time of a process, in clock ticks (proc(5), stat).
long ticks_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string skipped;
  std::getline(file, skipped, ')');
  constexpr int kBeforeTimes = 11;
  for (int i = 0; i < kBeforeTimes; ++i) {
    file >> skipped;
  }
  long user = 0;
  long system = 0;
  file >> user >> system;
  return user + system;
}

// With nobody looking there's nothing to do; who has looked, and who has opened it, make no difference.
TEST_F(CameraConsumersTest, WithNobodyLookingItCostsNothing) {
  VideoClient client(server_.video());
  ASSERT_EQ(client.begin(2), 0);
  ASSERT_TRUE(client.capture());
  ASSERT_EQ(client.stream_off(), 0);
  ASSERT_TRUE(wait_until([&] { return status()["devices"][0]["running"] == false; }, kPatience));
  const long before = ticks_of(server_.process().pid());
  ASSERT_GT(before, 0);
  std::this_thread::sleep_for(seconds(2));
  EXPECT_LE(ticks_of(server_.process().pid()) - before, 1);
}

// A writer stays where it is until somebody looks, and again when nobody does.
TEST_F(CameraConsumersTest, AFifoIsNotReadWhenNobodyLooks) {
  const TemporaryDirectory directory;
  const Pictures shown = marked_pictures(200, kSize);
  FifoWriter fifo(directory / "fifo", y4m_of(shown, kSize, "mono", "50:1"));
  CameraServer server({"--source", "y4m:" + fifo.path().string(), "--size", "640x480", "--fps", "50"});
  ASSERT_TRUE(server.ready()) << server.log();
  fifo.start();
  std::this_thread::sleep_for(milliseconds(300));
  constexpr std::size_t kPipe = 65'536;
  EXPECT_LE(fifo.written(), kPipe) << "what a pipe holds";
  VideoClient client(server.video());
  ASSERT_EQ(client.set_format("GREY", kSize), 0);
  ASSERT_EQ(client.begin(4), 0);
  const auto first = client.capture();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->marks.whole(), 0U) << "not one was lost";
  const auto second = client.capture();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->marks.whole(), 1U);
  ASSERT_EQ(client.stream_off(), 0);
  std::this_thread::sleep_for(milliseconds(100));
  const std::size_t until = fifo.written();
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_EQ(fifo.written(), until);
  EXPECT_LT(until, fifo.size());
}

}  // namespace
}  // namespace dmmap::testing
