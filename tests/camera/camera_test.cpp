#include "servers/camera/engine/camera.h"

#include <gtest/gtest.h>
#include <linux/videodev2.h>

#include <array>
#include <cerrno>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "camera/colours.h"
#include "camera/lines.h"
#include "camera/scripted_source.h"

namespace dmmap::camera {
namespace {

constexpr Size kSize{64, 32};
constexpr std::chrono::seconds kPatience{30};

const Layout& yuyv() {
  static const Layout layout{find_pixel_format(V4L2_PIX_FMT_YUYV), kSize};
  return layout;
}
const Layout& rgb() {
  static const Layout layout{find_pixel_format(V4L2_PIX_FMT_RGB24), kSize};
  return layout;
}
Picture yuyv_bars() {
  return bars(AV_PIX_FMT_YUYV422, false, kSize);
}

class Looker final : public Consumer {
 public:
  explicit Looker(const Layout& layout, std::shared_ptr<Region> region = nullptr)
      : layout_(layout), region_(std::move(region)), bytes_(layout.bytes()) {}

  std::optional<Target> claim(Time taken) override {
    const std::lock_guard lock(lock_);
    ++claims_;
    changed_.notify_all();
    EXPECT_FALSE(claimed_) << "one at a time";
    if (!room_) {
      return std::nullopt;
    }
    claimed_ = taken;
    return Target{layout_, region_, 0, region_ ? std::span<std::byte>() : std::span(bytes_)};
  }
  void filled(std::optional<std::size_t> bytes, Time taken) override {
    const std::lock_guard lock(lock_);
    EXPECT_EQ(claimed_, taken);
    claimed_.reset();
    ++(bytes ? pictures_ : broken_);
    changed_.notify_all();
  }
  void ended() override {
    const std::lock_guard lock(lock_);
    ++ends_;
    changed_.notify_all();
  }

  void room(bool room) {
    const std::lock_guard lock(lock_);
    room_ = room;
  }
  // Each says whether so many came in time.
  bool pictures(unsigned count) {
    return wait([&] { return pictures_ >= count; });
  }
  bool claims(unsigned count) {
    return wait([&] { return claims_ >= count; });
  }
  bool broken(unsigned count) {
    return wait([&] { return broken_ >= count; });
  }
  bool ends(unsigned count) {
    return wait([&] { return ends_ >= count; });
  }
  unsigned pictures() const {
    const std::lock_guard lock(lock_);
    return pictures_;
  }
  unsigned claims() const {
    const std::lock_guard lock(lock_);
    return claims_;
  }
  std::vector<std::byte> bytes() const {
    const std::lock_guard lock(lock_);
    std::vector<std::byte> bytes = bytes_;
    if (region_) {
      EXPECT_TRUE(region_->read(0, bytes));
    }
    return bytes;
  }

 private:
  template <class Until>
  bool wait(const Until& until) {
    std::unique_lock lock(lock_);
    return changed_.wait_for(lock, kPatience, until);
  }
  const Layout layout_;
  const std::shared_ptr<Region> region_;
  std::vector<std::byte> bytes_;
  mutable std::mutex lock_;
  std::condition_variable changed_;
  bool room_ = true;
  std::optional<Time> claimed_;
  unsigned claims_ = 0;
  unsigned pictures_ = 0;
  unsigned broken_ = 0;
  unsigned ends_ = 0;
};

class CameraTest : public ::testing::Test {
 protected:
  static std::shared_ptr<Region> region(std::size_t bytes) {
    auto made = SharedRegion::create({.id = {1}, .size = bytes, .name = "camera-test"});
    EXPECT_TRUE(made);
    return made ? std::shared_ptr<Region>(std::move(*made)) : nullptr;
  }
  static std::shared_ptr<Looker> looker(const Layout& layout) { return std::make_shared<Looker>(layout); }

  Script script{{kSize, {30, 1}, nullptr}};
  Lines lines;
  Camera camera{"video0", script.source(), lines.sink()};
};

TEST_F(CameraTest, WhoWantsThePictureTheSameWayGetsTheSameBytes) {
  const std::array all{looker(rgb()),  looker(rgb()),  std::make_shared<Looker>(rgb(), region(rgb().bytes())),
                       looker(yuyv()), looker(yuyv()), std::make_shared<Looker>(yuyv(), region(yuyv().bytes()))};
  for (const auto& each : all) {
    camera.add(each);
  }
  const Picture picture = yuyv_bars();
  script.give(picture, 0);
  camera.start();
  for (const auto& each : all) {
    ASSERT_TRUE(each->pictures(1));
  }
  Converter converter;
  std::vector<std::byte> expected(rgb().bytes());
  ASSERT_TRUE(converter.convert(*picture, rgb(), expected));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(all.at(i)->bytes(), expected) << i;
  }
  expected.resize(yuyv().bytes());
  ASSERT_TRUE(converter.convert(*picture, yuyv(), expected));
  for (std::size_t i = 3; i < all.size(); ++i) {
    EXPECT_EQ(all.at(i)->bytes(), expected) << i;
  }
}

TEST_F(CameraTest, WhoHasNoRoomMissesAPictureAlone) {
  const auto full = looker(yuyv());
  const auto other = looker(yuyv());
  full->room(false);
  camera.add(full);
  camera.add(other);
  script.give(yuyv_bars(), 0);
  camera.start();
  ASSERT_TRUE(other->pictures(1));
  EXPECT_EQ(full->claims(), 1U);
  EXPECT_EQ(full->pictures(), 0U);
  full->room(true);
  script.give(yuyv_bars(), 1);
  EXPECT_TRUE(full->pictures(1));
  EXPECT_TRUE(other->pictures(2));
}

TEST_F(CameraTest, AddedTwiceIsThereOnce) {
  const auto one = looker(yuyv());
  camera.add(one);
  camera.add(one);
  script.give(yuyv_bars(), 0);
  camera.start();
  ASSERT_TRUE(script.wait([](const auto& counts) { return counts.asked == 2; }));
  EXPECT_EQ(one->claims(), 1U);
  camera.remove(*one);
  camera.remove(*one);
  EXPECT_TRUE(script.wait([](const auto& counts) { return counts.ended == 1; }));
}

TEST_F(CameraTest, TheSourceSleepsWhileNobodyLooks) {
  camera.start();
  script.give(yuyv_bars(), 0);
  const auto one = looker(yuyv());
  camera.add(one);
  ASSERT_TRUE(one->pictures(1));
  ASSERT_TRUE(script.wait([](const auto& counts) { return counts.waits && counts.asked == 2; }));
  EXPECT_TRUE(camera.counts().running);
  camera.remove(*one);
  ASSERT_TRUE(script.wait([](const auto& counts) { return counts.ended == 1; }));
  script.give(yuyv_bars(), 5);
  camera.stop();
  const auto counts = script.counts();
  EXPECT_EQ(counts.begun, 1U);
  EXPECT_EQ(counts.asked, 2U);
  EXPECT_EQ(one->pictures(), 1U);
  EXPECT_FALSE(camera.counts().running);
}

TEST_F(CameraTest, WhatTheSourceLeftOutIsCounted) {
  const auto one = looker(yuyv());
  camera.add(one);
  for (const std::uint64_t number : {0U, 1U, 4U, 5U}) {
    script.give(yuyv_bars(), number);
  }
  camera.start();
  ASSERT_TRUE(one->pictures(4));
  EXPECT_EQ(camera.counts().pictures, 4U);
  EXPECT_EQ(camera.counts().left_out, 2U);
}

TEST_F(CameraTest, AllHearOfAnEndAndCanLookAgain) {
  const std::array all{looker(yuyv()), looker(rgb())};
  for (const int code : {ENODATA, EIO}) {
    for (const auto& each : all) {
      camera.add(each);
    }
    script.fail(code, code == EIO ? "the disk is gone" : "");
    if (code == ENODATA) {
      camera.start();
    }
    for (const auto& each : all) {
      ASSERT_TRUE(each->ends(code == ENODATA ? 1 : 2));
    }
  }
  script.flow(yuyv_bars());
  for (const auto& each : all) {
    camera.add(each);
    EXPECT_TRUE(each->pictures(1));
  }
  camera.stop();
  EXPECT_NE(lines.text().find("video0: there are no more pictures"), std::string::npos) << lines.text();
  EXPECT_NE(lines.text().find("the disk is gone"), std::string::npos) << lines.text();
}

TEST_F(CameraTest, StopEndsAWaitAtOnce) {
  camera.start();
  const auto one = looker(yuyv());
  camera.add(one);
  ASSERT_TRUE(script.wait([](const auto& counts) { return counts.waits; }));
  auto stopped = std::async(std::launch::async, [this] { camera.stop(); });
  ASSERT_EQ(stopped.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(script.counts().ended, 1U);
  camera.stop();
}

TEST_F(CameraTest, StopBeforeAnybodyLooksAndWithoutAStart) {
  camera.stop();
  camera.start();
  camera.stop();
  EXPECT_EQ(script.counts().begun, 0U);
}

TEST_F(CameraTest, ControlsChangeWhatAllSee) {
  const auto one = looker(yuyv());
  const auto two = std::make_shared<Looker>(rgb());
  camera.add(one);
  camera.add(two);
  ASSERT_EQ(camera.controls().set(V4L2_CID_HFLIP, 1), 1);
  script.give(yuyv_bars(), 0);
  camera.start();
  ASSERT_TRUE(one->pictures(1));
  ASSERT_TRUE(two->pictures(1));
  std::vector<std::byte> bytes = one->bytes();
  EXPECT_NEAR(captured(yuyv(), bytes, 0, 3, 9), yuv_of(kBars.back(), false)[0], 2);
  EXPECT_NEAR(captured(yuyv(), bytes, 0, kSize.width - 4, 9), yuv_of(kBars.front(), false)[0], 2);
  bytes = two->bytes();
  EXPECT_NEAR(captured(rgb(), bytes, 1, kSize.width - 4, 9), 255, 3);
}

TEST_F(CameraTest, APictureThatCanNotBePutThereIsBrokenForThatOneAlone) {
  const auto small = std::make_shared<Looker>(rgb(), region(page_size()));  // which has too few
  const auto other = looker(rgb());
  ASSERT_GT(rgb().bytes(), page_size());
  camera.add(small);
  camera.add(other);
  script.give(yuyv_bars(), 0);
  camera.start();
  EXPECT_TRUE(small->broken(1));
  EXPECT_TRUE(other->pictures(1));
  EXPECT_NE(lines.text(), "");
}

// The last one leaves, which interrupts the source, while another comes.
TEST_F(CameraTest, WhoComesAsTheLastOneLeavesGetsPictures) {
  script.flow(yuyv_bars());
  camera.start();
  std::array pair{looker(yuyv()), looker(yuyv())};
  camera.add(pair[0]);
  for (int round = 0; round < 1000; ++round) {
    const auto& leaves = pair[0];
    const auto& comes = pair[1];
    auto left = std::async(std::launch::async, [&, this] { camera.remove(*leaves); });
    camera.add(comes);
    left.get();
    const unsigned before = comes->pictures();
    ASSERT_TRUE(comes->pictures(before + 1)) << "in round " << round;
    std::swap(pair[0], pair[1]);
  }
}

TEST_F(CameraTest, ManyComeAndGoWhilePicturesFlow) {
  script.flow(yuyv_bars());
  camera.start();
  std::vector<std::future<void>> threads;
  for (unsigned thread = 0; thread < 4; ++thread) {
    threads.push_back(std::async(std::launch::async, [this, thread] {
      for (unsigned round = 1; round <= 50; ++round) {
        const auto one = looker(thread % 2 == 0 ? yuyv() : rgb());
        camera.add(one);
        EXPECT_TRUE(one->pictures(round % 3));
        camera.controls().set(V4L2_CID_BRIGHTNESS, static_cast<std::int32_t>(round % 2));
        EXPECT_LE(camera.counts().left_out, camera.counts().pictures);
        camera.remove(*one);
      }
    }));
  }
  for (auto& each : threads) {
    ASSERT_EQ(each.wait_for(kPatience * 2), std::future_status::ready);
  }
  EXPECT_TRUE(script.wait([](const auto& counts) { return counts.begun == counts.ended; })) << "nobody looks any more";
}

}  // namespace
}  // namespace dmmap::camera
