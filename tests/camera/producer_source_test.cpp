#include "servers/camera/sources/producer_source.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "servers/camera/picture/av.h"

namespace dmmap::camera {
namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr About kAbout{{640, 480}, {30, 1}, nullptr};
constexpr About kOther{{320, 240}, {25, 1}, nullptr};

class ProducerSourceTest : public ::testing::Test {
 protected:
  // An offer that is told apart by its picture's width. `held` is let go of with it.
  static ProducerSource::Offer offer(int width, std::shared_ptr<int> held = nullptr) {
    return [width, held = std::move(held)]() -> Result<Picture> {
      AvFrame frame(av_frame_alloc());
      frame->width = width;
      return Picture(frame.release(), [held](AVFrame* let_go) { av_frame_free(&let_go); });
    };
  }
  int one = 0;  // whose addresses are producers'
  int other = 0;
  ProducerSource source{kAbout};
};

TEST_F(ProducerSourceTest, ThereIsOneProducerAtATime) {
  EXPECT_FALSE(source.taken());
  EXPECT_EQ(source.about(), kAbout);
  ASSERT_TRUE(source.take(&one, kOther));
  EXPECT_EQ(source.about(), kOther);
  const auto refused = source.take(&other, kAbout);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EBUSY);
  EXPECT_EQ(source.about(), kOther) << "that of a refused one doesn't count";
  EXPECT_TRUE(source.taken_by_another(&other));
  EXPECT_FALSE(source.taken_by_another(&one));
  source.leave(&other);
  EXPECT_TRUE(source.taken());
  EXPECT_TRUE(source.take(&one, kAbout)) << "again";
  source.leave(&one);
  EXPECT_FALSE(source.taken());
  EXPECT_FALSE(source.taken_by_another(&one));
  EXPECT_TRUE(source.take(&other, kOther));
}

TEST_F(ProducerSourceTest, OffersThatNobodyLooksAtAreLetGoOfAtOnce) {
  const auto held = std::make_shared<int>(1);
  EXPECT_FALSE(source.looked_at());
  source.offer(offer(1, held));
  EXPECT_EQ(held.use_count(), 1);
  source.watched(true);
  source.begin();
  EXPECT_TRUE(source.looked_at());
  source.offer(offer(2, held));
  EXPECT_EQ(held.use_count(), 2);
  source.watched(false);
  EXPECT_FALSE(source.looked_at());
  source.end();
  EXPECT_EQ(held.use_count(), 1) << "what waited";
  source.offer(offer(3, held));
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(ProducerSourceTest, WhatIsOfferedBeforeItHasBegunIsShownAndWhatWasForOthersIsNot) {
  const auto held = std::make_shared<int>(1);
  source.watched(true);
  source.offer(offer(1, held));
  source.watched(false);
  source.watched(true);
  source.offer(offer(2, held));
  source.begin();
  auto shot = source.next();
  ASSERT_TRUE(shot);
  EXPECT_EQ(shot->number, 0U);
  EXPECT_EQ(held.use_count(), 2) << "one of both is held, and it's the second one";
  source.end();
}

TEST_F(ProducerSourceTest, PicturesComeInOrderAndAreHeldUntilTheyAreShown) {
  const auto held = std::make_shared<int>(1);
  source.watched(true);
  source.begin();
  const Time before = Clock::now();
  for (int i = 0; i < 3; ++i) {
    source.offer(offer(i, held));
  }
  for (int i = 0; i < 3; ++i) {
    auto shot = source.next();
    ASSERT_TRUE(shot);
    EXPECT_EQ(shot->picture->width, i);
    EXPECT_EQ(shot->number, static_cast<std::uint64_t>(i));
    EXPECT_GE(shot->time, before);
    EXPECT_LE(shot->time, Clock::now());
    EXPECT_EQ(held.use_count(), 1 + 3 - i);
    shot->picture.reset();
    EXPECT_EQ(held.use_count(), 3 - i);
  }
}

TEST_F(ProducerSourceTest, APictureThatCanNotBeHadLeavesAGap) {
  source.watched(true);
  source.begin();
  source.offer([]() -> Result<Picture> { return fail(EPROTO, "isn't whole"); });
  source.offer(offer(7));
  const auto shot = source.next();
  ASSERT_TRUE(shot);
  EXPECT_EQ(shot->picture->width, 7);
  EXPECT_EQ(shot->number, 1U);
}

TEST_F(ProducerSourceTest, AWaitEndsWithAnOfferOrAnInterrupt) {
  source.watched(true);
  source.begin();
  auto waits = std::async(std::launch::async, [this] { return source.next(); });
  source.offer(offer(5));
  ASSERT_EQ(waits.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(waits.get()->picture->width, 5);
  waits = std::async(std::launch::async, [this] { return source.next(); });
  source.interrupt();
  ASSERT_EQ(waits.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(waits.get().error().code, ECANCELED);
  source.offer(offer(6));
  EXPECT_EQ(source.next().error().code, ECANCELED) << "until it begins anew";
  source.end();
  source.watched(true);
  source.begin();
  source.offer(offer(8));
  const auto shot = source.next();
  ASSERT_TRUE(shot);
  EXPECT_EQ(shot->picture->width, 8);
  EXPECT_EQ(shot->number, 0U);
}

// What lets go of a picture may call the source again.
TEST_F(ProducerSourceTest, NothingIsLetGoOfWhileTheLockIsHeld) {
  const auto asks = [this] {
    return std::shared_ptr<int>(new int(0), [this](const int* let_go) {
      EXPECT_FALSE(source.taken());
      delete let_go;
    });
  };
  source.offer(offer(1, asks()));
  source.watched(true);
  source.begin();
  source.offer(offer(2, asks()));
  source.offer(offer(3, asks()));
  ASSERT_TRUE(source.next());
  source.end();
}

TEST_F(ProducerSourceTest, NothingIsLostBetweenThreads) {
  constexpr int kPictures = 500;
  const auto held = std::make_shared<int>(1);
  source.watched(true);
  source.begin();
  std::thread producer([&] {
    for (int i = 0; i < kPictures; ++i) {
      source.offer(offer(i, held));
    }
  });
  for (int i = 0; i < kPictures; ++i) {
    const auto shot = source.next();
    ASSERT_TRUE(shot);
    ASSERT_EQ(shot->picture->width, i);
  }
  producer.join();
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace dmmap::camera
