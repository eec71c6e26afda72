// LiveSink and LiveSource before outputs and inputs that do what real ones do at their worst. Time is real, and short.
#include "servers/sound/live/live_sink.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "servers/sound/live/live_source.h"

namespace dmmap::sound {
namespace {

using std::chrono::milliseconds;

constexpr LivePatience kShort{
    .retry = milliseconds(30), .stall = milliseconds(300), .end = milliseconds(300), .rest = milliseconds(200)};
constexpr SinkFormat kFormat{8000, 1, 16};

// What a scripted output or input does, and what it saw. Set before it's used or between; read at any time.
struct Script {
  std::atomic<int> opens_that_fail{0};
  std::atomic<unsigned> rate{8000};
  std::atomic<unsigned> channels{1};
  std::atomic<std::size_t> most_at_once{1 << 20};  // samples of one write()
  std::atomic<bool> fails{false};
  std::atomic<bool> stalls{false};
  std::atomic<bool> hangs{false};

  std::atomic<int> opened{0};
  std::atomic<int> closed{0};
  std::atomic<int> played_out{0};

  std::mutex lock;
  std::vector<float> samples;  // heard by the output; to be brought by the input

  std::vector<float> heard() {
    const std::lock_guard guard(lock);
    return samples;
  }
  void bring(const std::vector<float>& more) {
    const std::lock_guard guard(lock);
    samples.insert(samples.end(), more.begin(), more.end());
  }
  void hang() const {
    while (hangs) {
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
  Result<void> open() {
    hang();
    if (opens_that_fail > 0) {
      --opens_that_fail;
      return fail(ENOENT, "not there");
    }
    ++opened;
    return {};
  }
};

class ScriptedOutput final : public Output {
 public:
  explicit ScriptedOutput(std::shared_ptr<Script> script) : script_(std::move(script)) {}
  Result<SinkFormat> open(const SinkFormat& wanted) override {
    if (const auto opened = script_->open(); !opened) {
      return tl::unexpected(opened.error());
    }
    return SinkFormat{script_->rate, script_->channels, wanted.bits};
  }
  Result<std::size_t> write(std::span<const float> samples) override {
    script_->hang();
    if (script_->fails) {
      return fail(EIO, "broken");
    }
    const std::size_t count = script_->stalls ? 0 : std::min(samples.size(), script_->most_at_once.load());
    script_->bring({samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(count)});
    return count;
  }
  void play_out() override { ++script_->played_out; }
  bool played_out() override { return true; }
  void close() override { ++script_->closed; }

 private:
  std::shared_ptr<Script> script_;
};

class ScriptedInput final : public Input {
 public:
  explicit ScriptedInput(std::shared_ptr<Script> script) : script_(std::move(script)) {}
  Result<SourceFormat> open(const SourceFormat& /*wanted*/) override {
    if (const auto opened = script_->open(); !opened) {
      return tl::unexpected(opened.error());
    }
    return SourceFormat{script_->rate, script_->channels};
  }
  Result<void> read(std::vector<float>& samples) override {
    script_->hang();
    if (script_->fails) {
      return fail(EIO, "broken");
    }
    const std::lock_guard guard(script_->lock);
    samples.swap(script_->samples);
    return {};
  }
  void close() override { ++script_->closed; }

 private:
  std::shared_ptr<Script> script_;
};

// Waits for what comes in a moment; false when it doesn't come for long.
bool soon(const std::function<bool()>& condition) {
  for (int i = 0; i < 10'000; ++i) {
    if (condition()) {
      return true;
    }
    std::this_thread::sleep_for(milliseconds(1));
  }
  return false;
}

std::vector<float> ramp(std::size_t count, float from = 0) {
  std::vector<float> samples(count);
  for (std::size_t i = 0; i < count; ++i) {
    samples[i] = from + static_cast<float>(i + 1) / 32768;
  }
  return samples;
}

class LiveTest : public ::testing::Test {
 protected:
  std::unique_ptr<LiveSink> sink() {
    auto sink = std::make_unique<LiveSink>("speaker", std::make_unique<ScriptedOutput>(script_), log_, kShort);
    EXPECT_TRUE(sink->start(kFormat));
    return sink;
  }
  std::unique_ptr<LiveSource> source() {
    return std::make_unique<LiveSource>("microphone", std::make_unique<ScriptedInput>(script_), log_, kShort);
  }
  bool logged(const std::string& text, std::size_t times = 1) {
    const std::lock_guard guard(*lock_);
    return static_cast<std::size_t>(std::count_if(lines_->begin(), lines_->end(), [&](const std::string& line) {
             return line.find(text) != std::string::npos;
           })) == times;
  }

  std::shared_ptr<Script> script_ = std::make_shared<Script>();
  std::shared_ptr<std::mutex> lock_ = std::make_shared<std::mutex>();
  std::shared_ptr<std::vector<std::string>> lines_ = std::make_shared<std::vector<std::string>>();
  LogSink log_ = [lock = lock_, lines = lines_](LogLevel /*level*/, const std::string& line) {
    const std::lock_guard guard(*lock);
    lines->push_back(line);
  };
};

using LiveSinkTest = LiveTest;
using LiveSourceTest = LiveTest;

TEST_F(LiveSinkTest, AllIsHeardInOrderAlsoInSmallPieces) {
  script_->most_at_once = 37;
  const auto played = ramp(3000);
  {
    const auto to = sink();
    for (std::size_t at = 0; at < played.size(); at += 160) {
      const std::size_t count = std::min<std::size_t>(160, played.size() - at);
      ASSERT_TRUE(to->write(std::span(played).subspan(at, count)));
      ASSERT_TRUE(soon([&] { return script_->heard().size() + 800 > at; }));
    }
    ASSERT_TRUE(to->idle());
    ASSERT_TRUE(soon([&] { return script_->heard().size() == played.size(); }));
  }
  EXPECT_EQ(script_->heard(), played);
  EXPECT_GE(script_->played_out, 1);
  EXPECT_EQ(script_->opened, script_->closed);
}

TEST_F(LiveSinkTest, WhatIsPlayedLastIsHeardWhenItEndsAtOnce) {
  const auto played = ramp(1600);
  {
    const auto to = sink();
    ASSERT_TRUE(to->write(played));
  }
  EXPECT_EQ(script_->heard(), played);
  EXPECT_EQ(script_->played_out, 1);
}

TEST_F(LiveSinkTest, AnOutputThatIsNotThereIsTriedAgainAndTheLogSaysSoOnce) {
  script_->opens_that_fail = 4;
  const auto to = sink();
  const auto played = ramp(8000);
  ASSERT_TRUE(to->write(played));  // more than is kept
  ASSERT_TRUE(soon([&] { return !script_->heard().empty(); }));
  EXPECT_TRUE(soon([&] { return logged("is back"); }));
  EXPECT_TRUE(logged("not there"));
  // The newest 60 ms, so that it isn't late for ever.
  EXPECT_EQ(script_->heard(), std::vector<float>(played.end() - 480, played.end()));
}

TEST_F(LiveSinkTest, AnOutputThatBreaksIsOpenedAgain) {
  const auto to = sink();
  ASSERT_TRUE(to->write(ramp(160)));
  ASSERT_TRUE(soon([&] { return script_->heard().size() == 160; }));
  script_->fails = true;
  ASSERT_TRUE(to->write(ramp(160)));
  EXPECT_TRUE(soon([&] { return logged("broken"); }));
  script_->fails = false;
  ASSERT_TRUE(soon([&] { return to->write(ramp(160)) && logged("is back"); }));
  EXPECT_GE(script_->opened, 2);
}

TEST_F(LiveSinkTest, AnOutputThatTakesNothingIsOpenedAgainAndNobodyWaits) {
  script_->stalls = true;
  const auto to = sink();
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(to->write(ramp(160)));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  EXPECT_TRUE(soon([&] { return to->write(ramp(160)) && script_->opened >= 3; }));  // again and again
  EXPECT_TRUE(logged("it takes nothing any more"));
  script_->stalls = false;
  ASSERT_TRUE(soon([&] { return to->write(ramp(160)) && logged("is back"); }));
}

TEST_F(LiveSinkTest, WhatWasPlayedWhileItWasGoneIsNotHeardLater) {
  script_->opens_that_fail = 3;
  const auto to = sink();
  ASSERT_TRUE(to->write(std::vector<float>(160, 0.5F)));
  ASSERT_TRUE(soon([&] { return logged("not there"); }));
  ASSERT_TRUE(to->idle());
  std::this_thread::sleep_for(5 * kShort.retry);
  const auto played = ramp(160);
  ASSERT_TRUE(soon([&] { return to->write(played) && !script_->heard().empty(); }));
  const auto heard = script_->heard();
  EXPECT_EQ(std::count(heard.begin(), heard.end(), 0.5F), 0);
}

TEST_F(LiveSinkTest, AnOutputThatHangsIsLeftBehindAndLogsNothingMore) {
  script_->hangs = true;
  const auto before = std::chrono::steady_clock::now();
  {
    const auto to = sink();
    ASSERT_TRUE(to->write(ramp(160)));
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  script_->opens_that_fail = 100;
  script_->hangs = false;
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_TRUE(logged("", 0));
}

TEST_F(LiveSinkTest, AnOutputOfAnotherRateAndMoreChannelsHearsItConverted) {
  script_->rate = 16000;
  script_->channels = 2;
  {
    const auto to = sink();
    ASSERT_TRUE(to->write(std::vector<float>(1600, 0.25F)));
    ASSERT_TRUE(to->idle());
    ASSERT_TRUE(soon([&] { return script_->heard().size() >= 6400; }));
  }
  const auto heard = script_->heard();
  ASSERT_EQ(heard.size(), 6400U);  // twice the frames of twice the samples
  for (std::size_t i = 2000; i < 4000; ++i) {
    ASSERT_NEAR(heard[i], 0.25F, 0.001F);
  }
}

TEST_F(LiveSinkTest, AnOutputThatComesBackWithAnotherRateHearsItConverted) {
  const auto to = sink();
  ASSERT_TRUE(to->write(ramp(160)));
  ASSERT_TRUE(soon([&] { return script_->heard().size() == 160; }));
  script_->fails = true;
  ASSERT_TRUE(soon([&] { return to->write(ramp(160)) && logged("broken"); }));
  script_->rate = 16000;
  script_->fails = false;
  ASSERT_TRUE(soon([&] { return to->write(ramp(160)) && logged("is back"); }));
  EXPECT_TRUE(logged("16000 Hz"));
  const std::size_t before = script_->heard().size();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(to->write(std::vector<float>(160, 0.25F)));
  }
  ASSERT_TRUE(to->idle());
  ASSERT_TRUE(soon([&] { return script_->heard().size() >= before + 6000; }));
  EXPECT_NEAR(script_->heard()[before + 4000], 0.25F, 0.001F);
}

TEST_F(LiveSinkTest, WithNothingToPlayTheDeviceIsGivenBackAndTakenAgain) {
  const auto to = sink();
  ASSERT_TRUE(to->write(ramp(160)));
  ASSERT_TRUE(to->idle());
  ASSERT_TRUE(soon([&] { return script_->closed == 1; }));
  ASSERT_TRUE(to->write(ramp(160)));
  ASSERT_TRUE(soon([&] { return script_->opened == 2 && script_->heard().size() == 320; }));
  EXPECT_TRUE(logged("", 1));  // only that it plays
}

// As a stream of the device does: so much every so often.
std::vector<float> recorded(Recording& from, std::size_t frames, std::size_t piece) {
  std::vector<float> all(frames * from.format().channels);
  for (std::size_t at = 0; at < all.size(); at += piece) {
    from.read(std::span(all).subspan(at, std::min(piece, all.size() - at)));
    std::this_thread::sleep_for(milliseconds(1));
  }
  return all;
}

std::vector<float> without_silence(std::vector<float> samples) {
  std::erase(samples, 0.0F);
  return samples;
}

TEST_F(LiveSourceTest, WhatComesIsRecordedByEachAndItsOpenOnlyThen) {
  const auto from = source();
  EXPECT_EQ(script_->opened, 0);
  auto first = from->begin({8000, 1});
  auto second = from->begin({48000, 2});
  ASSERT_TRUE(first && second);
  EXPECT_EQ((*second)->format(), (SourceFormat{8000, 1}));
  const auto sound = ramp(3000);
  ASSERT_TRUE(soon([&] { return script_->opened == 1; }));
  script_->bring(sound);
  ASSERT_TRUE(soon([&] { return script_->heard().empty(); }));
  std::this_thread::sleep_for(milliseconds(20));
  // The last 60 ms are the cushion.
  EXPECT_EQ(without_silence(recorded(**first, 2500, 160)), std::vector<float>(sound.begin(), sound.begin() + 2500));
  EXPECT_EQ(without_silence(recorded(**second, 2500, 160)), std::vector<float>(sound.begin(), sound.begin() + 2500));
  first->reset();
  EXPECT_EQ(script_->closed, 0);
  second->reset();
  EXPECT_TRUE(soon([&] { return script_->closed >= 1; }));
}

TEST_F(LiveSourceTest, WhereNothingComesThereIsSilenceAndTheLogSaysSo) {
  script_->opens_that_fail = 3;
  const auto from = source();
  const auto recording = from->begin({8000, 1});
  ASSERT_TRUE(recording);
  EXPECT_EQ(recorded(**recording, 800, 80), std::vector<float>(800));
  EXPECT_TRUE(soon([&] { return logged("not there"); }));
  EXPECT_TRUE(soon([&] { return logged("nothing comes any more", 0) && script_->opened >= 2; }));
  script_->bring(ramp(3000));
  EXPECT_TRUE(soon([&] { return logged("is back"); }));
  EXPECT_EQ(without_silence(recorded(**recording, 2000, 80)).size(), 2000U);
}

TEST_F(LiveSourceTest, WhoFallsBehindGoesOnWithTheNewest) {
  const auto from = source();
  const auto recording = from->begin({8000, 1});
  ASSERT_TRUE(recording);
  const auto sound = ramp(20'000);
  script_->bring(sound);
  ASSERT_TRUE(soon([&] { return script_->opened == 1 && script_->heard().empty(); }));
  std::this_thread::sleep_for(milliseconds(20));
  std::vector<float> got(160);
  (*recording)->read(got);
  EXPECT_EQ(got.front(), sound[20'000 - 480 - 160]);
  (*recording)->skip();
  (*recording)->read(got);
  EXPECT_EQ(got, std::vector<float>(160));
}

TEST_F(LiveSourceTest, AnInputOfAnotherRateIsConverted) {
  script_->rate = 16000;
  script_->channels = 2;
  const auto from = source();
  const auto recording = from->begin({8000, 1});
  ASSERT_TRUE(recording);
  script_->bring(std::vector<float>(32'000, 0.25F));
  std::vector<float> got(160);
  ASSERT_TRUE(soon([&] {
    (*recording)->read(got);
    return got.front() != 0;
  }));
  EXPECT_NEAR(got[80], 0.25F, 0.001F);
}

TEST_F(LiveSourceTest, AnInputThatHangsIsLeftBehindAndRecordingsOutliveIt) {
  script_->hangs = true;
  auto from = source();
  const auto recording = from->begin({8000, 1});
  ASSERT_TRUE(recording);
  std::this_thread::sleep_for(milliseconds(50));
  from.reset();
  EXPECT_EQ(recorded(**recording, 800, 80), std::vector<float>(800));
  script_->hangs = false;
}

}  // namespace
}  // namespace dmmap::sound
