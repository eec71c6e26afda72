#include "servers/camera/sources/ticker.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cerrno>
#include <chrono>
#include <future>
#include <thread>

#include "support/generators.h"

namespace dmmap::camera {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

TEST(Ticks, DoNotDrift) {
  const Time first(hours(1000));
  const Ticks ntsc(first, {30000, 1001});
  EXPECT_EQ(ntsc.at(0), first);
  EXPECT_EQ(ntsc.at(1), first + nanoseconds(33'366'666));
  EXPECT_EQ(ntsc.at(30000), first + std::chrono::seconds(1001));
  EXPECT_EQ(ntsc.at(std::uint64_t{30000} * 31536), first + std::chrono::seconds(1001) * 31536);  // a year
}

RC_GTEST_PROP(Ticks, TheLatestIsTheOneBeforeTheNext, ()) {
  const Time first(nanoseconds(*testing::in_range<std::int64_t>(0, 1'000'000'000'000)));
  const Rate rate{*testing::in_range(1U, 1'000'000U), *testing::in_range(1U, 100'000U)};
  const Ticks ticks(first, rate);
  const auto time = first + nanoseconds(*testing::in_range<std::int64_t>(0, 1'000'000'000'000'000));
  const std::uint64_t latest = ticks.latest(time);
  RC_ASSERT(ticks.at(latest) <= time);
  RC_ASSERT(ticks.at(latest + 1) > time);
  RC_ASSERT(ticks.latest(ticks.at(latest)) >= latest);
  RC_ASSERT(ticks.latest(first - nanoseconds(1)) == 0U);
}

TEST(Ticker, TicksInTime) {
  Ticker ticker;
  const Time before = Clock::now();
  ticker.begin({200, 1});
  const auto first = ticker.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->number, 0U);
  EXPECT_GE(first->time, before);
  std::uint64_t last = 0;
  while (last < 20) {
    const auto tick = ticker.next();
    ASSERT_TRUE(tick);
    EXPECT_GT(tick->number, last);
    EXPECT_EQ(tick->time, first->time + milliseconds(5) * tick->number);
    EXPECT_LE(tick->time, Clock::now());
    last = tick->number;
  }
}

TEST(Ticker, LeavesOutWhatNobodyWaitedFor) {
  Ticker ticker;
  ticker.begin({1000, 1});
  ASSERT_TRUE(ticker.next());
  std::this_thread::sleep_for(milliseconds(20));  // what makes it late
  const Time before = Clock::now();
  const auto tick = ticker.next();
  ASSERT_TRUE(tick);
  EXPECT_GE(tick->number, 20U);
  EXPECT_GT(tick->time, before - milliseconds(1));
}

TEST(Ticker, IsInterruptedUntilItBegins) {
  Ticker ticker;
  ticker.begin({1, 3600});
  ASSERT_TRUE(ticker.next());
  auto waiting = std::async(std::launch::async, [&] { return ticker.next(); });
  EXPECT_EQ(waiting.wait_for(milliseconds(20)), std::future_status::timeout);
  ticker.interrupt();
  const auto tick = waiting.get();
  ASSERT_FALSE(tick);
  EXPECT_EQ(tick.error().code, ECANCELED);
  EXPECT_FALSE(ticker.next());
  ticker.begin({30, 1});
  EXPECT_TRUE(ticker.next());
}

TEST(Ticker, IsInterruptedBeforeItWaits) {
  Ticker ticker;
  ticker.begin({30, 1});
  ticker.interrupt();
  EXPECT_FALSE(ticker.next());
}

}  // namespace
}  // namespace dmmap::camera
