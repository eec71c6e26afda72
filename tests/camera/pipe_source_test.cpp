// Pictures through FIFOs and files, byte for byte.
#include "servers/camera/sources/pipe_source.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "camera/lines.h"
#include "camera/pipe_support.h"
#include "support/temporary_directory.h"
#include "support/text.h"

namespace dmmap::camera {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = SourceChoice::Kind;

class PipeSourceTest : public ::testing::Test {
 protected:
  PipeSourceTest() : fifo_(folder_ / "fifo") { EXPECT_EQ(::mkfifo(fifo_.c_str(), 0600), 0); }

  std::string written(std::string_view bytes) {
    std::ofstream(folder_ / "file", std::ios::binary) << bytes;
    return folder_ / "file";
  }
  std::unique_ptr<Source> open(const SourceChoice& choice, const SourceWish& wish) {
    auto source = open_source(choice, wish, lines_.sink());
    EXPECT_TRUE(source) << source.error().message;
    return source ? std::move(*source) : nullptr;
  }
  std::unique_ptr<Source> raw(const std::string& path, unsigned rate = 1000) {
    return open({Kind::raw, path, find_pixel_format("YUYV")}, {.size = kSize, .rate = Rate{rate, 1}});
  }
  std::unique_ptr<Source> y4m(const std::string& path, const SourceWish& wish = {}) {
    return open({Kind::y4m, path}, wish);
  }
  Error refused(const SourceChoice& choice, const SourceWish& wish = {}) {
    const auto source = open_source(choice, wish, lines_.sink());
    EXPECT_FALSE(source);
    return source ? Error{} : source.error();
  }

  testing::TemporaryDirectory folder_;
  std::string fifo_;
  Lines lines_;
};

void expect_picture(Source& source, const std::string& bytes) {
  const auto shot = source.next();
  ASSERT_TRUE(shot) << shot.error().message;
  EXPECT_EQ(bytes_of(*shot), bytes);
}

int next_error(Source& source) {
  const auto shot = source.next();
  return shot ? 0 : shot.error().code;
}

TEST_F(PipeSourceTest, RawBytesComeAsTheyWere) {
  for (const PixelFormat& format : pixel_formats()) {
    if (format.compressed()) {
      continue;
    }
    const auto source = open({Kind::raw, fifo_, &format}, {.size = kSize, .rate = Rate{1000, 1}});
    ASSERT_TRUE(source);
    EXPECT_EQ(source->about(), (About{kSize, {1000, 1}, &format}));
    const std::size_t bytes = Layout{&format, kSize}.bytes();
    const Writer writer(fifo_);
    source->begin();
    for (unsigned number = 0; number < 5; ++number) {
      const Time before = Clock::now();
      writer.write(picture(bytes, number));
      const auto shot = source->next();
      ASSERT_TRUE(shot);
      EXPECT_EQ(bytes_of(*shot), picture(bytes, number)) << format.name;
      EXPECT_EQ(shot->number, number);
      EXPECT_GE(shot->time, before);
      EXPECT_LE(shot->time, Clock::now());
    }
    source->end();
  }
}

TEST_F(PipeSourceTest, Y4mComesAsItWas) {
  for (const auto& [name, bytes, native] :
       std::vector<std::tuple<std::string, std::size_t, const char*>>{{"", k420, "YU12"},
                                                                      {" C420", k420, "YU12"},
                                                                      {" C420jpeg", k420, "YU12"},
                                                                      {" C420mpeg2", k420, "YU12"},
                                                                      {" C420paldv", k420, "YU12"},
                                                                      {" C420jpeg XCOLORRANGE=FULL", k420, ""},
                                                                      {" C422", std::size_t{32} * 24 * 2, ""},
                                                                      {" C444", std::size_t{32} * 24 * 3, ""},
                                                                      {" Cmono", std::size_t{32} * 24, "GREY"}}) {
    SCOPED_TRACE(name);
    const auto source = y4m(fifo_);
    ASSERT_TRUE(source);
    const Writer writer(fifo_);
    writer.write("YUV4MPEG2 W32 H24 F1000:1" + name + "\n");
    writer.write(y4m_frame(1, bytes));
    writer.write("FRAME Ip Xwhatever\n" + picture(bytes, 2));
    source->begin();
    expect_picture(*source, picture(bytes, 1));
    EXPECT_EQ(source->about(), (About{kSize, {1000, 1}, find_pixel_format(std::string(native))}));
    expect_picture(*source, picture(bytes, 2));
  }
  EXPECT_THAT(lines_.text(), IsEmpty());
}

TEST_F(PipeSourceTest, OddSizesAreRead) {
  const auto source = y4m(fifo_);
  const Writer writer(fifo_);
  const std::size_t bytes = std::size_t{33} * 25 + std::size_t{2} * 17 * 13;
  writer.write("YUV4MPEG2 W33 H25 F0:0\n" + y4m_frame(5, bytes));
  source->begin();
  expect_picture(*source, picture(bytes, 5));
  EXPECT_EQ(source->about(), (About{{33, 25}, {30, 1}, nullptr}));
}

TEST_F(PipeSourceTest, AboutIsTheWishUntilTheHeaderComesAndTheSizeStays) {
  EXPECT_EQ(y4m(fifo_)->about(), (About{{640, 480}, {30, 1}, nullptr}));
  const auto source = y4m(fifo_, {.size = Size{320, 240}, .rate = Rate{500, 1}});
  EXPECT_EQ(source->about(), (About{{320, 240}, {500, 1}, nullptr}));
  const Writer writer(fifo_);
  writer.write(std::string(kHeader) + y4m_frame(0));
  source->begin();
  const auto shot = source->next();
  ASSERT_TRUE(shot);
  EXPECT_EQ(size_of(*shot->picture), kSize);
  EXPECT_EQ(source->about(), (About{{320, 240}, {500, 1}, nullptr}));
}

TEST_F(PipeSourceTest, BytesMayComeOneByOne) {
  const auto source = y4m(fifo_);
  source->begin();
  auto shots = std::async(std::launch::async, [&] {
    std::string all;
    for (int i = 0; i < 2; ++i) {
      const auto shot = source->next();
      all += shot ? bytes_of(*shot) : shot.error().message;
    }
    return all;
  });
  const Writer writer(fifo_);
  for (const char each : std::string(kHeader) + y4m_frame(0) + y4m_frame(1)) {
    writer.write({&each, 1});
  }
  EXPECT_EQ(shots.get(), picture(k420, 0) + picture(k420, 1));
}

TEST_F(PipeSourceTest, ASilentFifoIsInterrupted) {
  for (const bool with_writer : {false, true}) {
    const auto source = raw(fifo_);
    ASSERT_TRUE(source);
    const auto writer = with_writer ? std::make_unique<Writer>(fifo_) : nullptr;
    source->begin();
    auto waiting = std::async(std::launch::async, [&] { return next_error(*source); });
    EXPECT_EQ(waiting.wait_for(milliseconds(30)), std::future_status::timeout);
    source->interrupt();
    EXPECT_EQ(waiting.get(), ECANCELED);
    EXPECT_EQ(next_error(*source), ECANCELED);
    source->end();
    source->begin();
    const Writer other(fifo_);
    other.write(picture(kYuyv, 3));
    expect_picture(*source, picture(kYuyv, 3));
  }
}

TEST_F(PipeSourceTest, AnInterruptLosesNothing) {
  const auto source = raw(fifo_, 1);
  const Writer writer(fifo_);
  writer.write(picture(kYuyv, 0) + picture(kYuyv, 1).substr(0, 1000));
  source->begin();
  expect_picture(*source, picture(kYuyv, 0));
  auto waiting = std::async(std::launch::async, [&] { return next_error(*source); });
  EXPECT_EQ(waiting.wait_for(milliseconds(30)), std::future_status::timeout);
  source->interrupt();
  EXPECT_EQ(waiting.get(), ECANCELED);
  source->end();
  writer.write(picture(kYuyv, 1).substr(1000) + picture(kYuyv, 2));
  source->begin();
  expect_picture(*source, picture(kYuyv, 1));
  // The next is held back by the rate, and not lost by that either.
  source->interrupt();
  EXPECT_EQ(next_error(*source), ECANCELED);
  source->end();
  source->begin();
  const auto shot = source->next();
  ASSERT_TRUE(shot);
  EXPECT_EQ(bytes_of(*shot), picture(kYuyv, 2));
  EXPECT_EQ(shot->number, 0U);
}

TEST_F(PipeSourceTest, TheNextWriterGoesOn) {
  const auto source = raw(fifo_);
  source->begin();
  for (unsigned number = 0; number < 3; ++number) {
    {
      const Writer writer(fifo_);
      writer.write(picture(kYuyv, number));
    }
    expect_picture(*source, picture(kYuyv, number));
    // So that it notices that the writer has gone: nothing is there.
    auto waiting = std::async(std::launch::async, [&] { return next_error(*source); });
    EXPECT_EQ(waiting.wait_for(milliseconds(20)), std::future_status::timeout);
    source->interrupt();
    EXPECT_EQ(waiting.get(), ECANCELED);
    source->end();
    source->begin();
  }
  EXPECT_THAT(lines_.text(), IsEmpty());
}

TEST_F(PipeSourceTest, AWriterThatHasGoneCostsNothing) {
  const auto source = raw(fifo_);
  source->begin();
  {
    const Writer writer(fifo_);
    writer.write(picture(kYuyv, 0));
  }
  expect_picture(*source, picture(kYuyv, 0));
  auto used = std::async(std::launch::async, [&] {
    EXPECT_EQ(next_error(*source), ECANCELED);
    timespec cpu{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    return std::chrono::seconds(cpu.tv_sec) + std::chrono::nanoseconds(cpu.tv_nsec);
  });
  EXPECT_EQ(used.wait_for(milliseconds(200)), std::future_status::timeout);
  source->interrupt();
  EXPECT_LT(used.get(), milliseconds(50));
}

TEST_F(PipeSourceTest, TheNextWriterMayHaveAnotherSize) {
  const auto source = y4m(fifo_);
  source->begin();
  {
    const Writer writer(fifo_);
    writer.write(std::string(kHeader) + y4m_frame(0) + "FRAME\n" + picture(100, 1));
  }
  expect_picture(*source, picture(k420, 0));
  auto second = std::async(std::launch::async, [&] { return source->next(); });
  while (testing::count(lines_.text(), "cut a picture off") == 0) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  const Writer writer(fifo_);
  writer.write("YUV4MPEG2 W16 H16 F500:1 Cmono\n" + y4m_frame(7, 256));
  const auto shot = second.get();
  ASSERT_TRUE(shot);
  EXPECT_EQ(bytes_of(*shot), picture(256, 7));
  EXPECT_EQ(source->about(), (About{{16, 16}, {500, 1}, find_pixel_format("GREY")}));
  // Even in the midst of one writer's, as `cat` of two files has it.
  writer.write(std::string(kHeader) + y4m_frame(2));
  expect_picture(*source, picture(k420, 2));
}

TEST_F(PipeSourceTest, AFileEndsAndBeginsAgain) {
  const auto source = raw(written(picture(kYuyv, 0) + picture(kYuyv, 1) + picture(100, 2)));
  for (unsigned round = 1; round <= 2; ++round) {
    source->begin();
    expect_picture(*source, picture(kYuyv, 0));
    expect_picture(*source, picture(kYuyv, 1));
    EXPECT_EQ(next_error(*source), ENODATA);
    EXPECT_EQ(next_error(*source), ENODATA);
    EXPECT_EQ(testing::count(lines_.text(), "\n"), round);
    EXPECT_THAT(lines_.text(), HasSubstr("cut a picture off"));
    source->end();
  }
}

TEST_F(PipeSourceTest, AY4mFileIsKnownWhenItsOpened) {
  const auto source = y4m(written(std::string(kHeader) + y4m_frame(0)));
  EXPECT_EQ(source->about(), (About{kSize, {1000, 1}, find_pixel_format("YU12")}));
  for (int round = 0; round < 2; ++round) {
    source->begin();
    expect_picture(*source, picture(k420, 0));
    EXPECT_EQ(next_error(*source), ENODATA);
    source->end();
  }
  EXPECT_THAT(lines_.text(), IsEmpty());
}

TEST_F(PipeSourceTest, StandardInputIsReadToItsEnd) {
  const int kept = ::dup(STDIN_FILENO);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(::dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
  ::close(ends[0]);
  {
    const auto source = raw("-");
    const std::string bytes = picture(kYuyv, 9) + picture(kYuyv, 8);
    EXPECT_EQ(::write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ::close(ends[1]);
    source->begin();
    expect_picture(*source, picture(kYuyv, 9));
    expect_picture(*source, picture(kYuyv, 8));
    EXPECT_EQ(next_error(*source), ENODATA);
    source->end();
    source->begin();
    EXPECT_EQ(next_error(*source), ENODATA);
  }
  EXPECT_GE(::fcntl(STDIN_FILENO, F_GETFL), 0);  // it isn't closed
  EXPECT_EQ(::fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, 0);
  ASSERT_EQ(::dup2(kept, STDIN_FILENO), STDIN_FILENO);
  ::close(kept);
}

TEST_F(PipeSourceTest, WhatComesTooFastIsHeldBack) {
  std::string bytes;
  for (unsigned number = 0; number < 6; ++number) {
    bytes += picture(kYuyv, number);
  }
  const auto source = raw(written(bytes), 50);
  source->begin();
  std::vector<Time> given;
  Time last{};
  for (unsigned number = 0; number < 6; ++number) {
    const auto shot = source->next();
    ASSERT_TRUE(shot);
    given.push_back(Clock::now());
    EXPECT_EQ(shot->number, number);
    EXPECT_GT(shot->time, last);
    last = shot->time;
  }
  EXPECT_GE(given.back() - given.front(), milliseconds(5 * 20 - 1));
}

TEST_F(PipeSourceTest, OnePictureAtMostIsReadAhead) {
  const auto source = raw(fifo_, 1);
  const Writer writer(fifo_);
  writer.write(picture(kYuyv, 0) + picture(kYuyv, 1) + picture(kYuyv, 2) + picture(kYuyv, 3));
  source->begin();
  expect_picture(*source, picture(kYuyv, 0));
  auto waiting = std::async(std::launch::async, [&] { return next_error(*source); });
  const int reader = ::open(fifo_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const auto left = [&] {
    int bytes = -1;
    EXPECT_EQ(::ioctl(reader, FIONREAD, &bytes), 0);
    return static_cast<std::size_t>(bytes);
  };
  while (left() > 2 * kYuyv) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(waiting.wait_for(milliseconds(30)), std::future_status::timeout);
  EXPECT_EQ(left(), 2 * kYuyv);
  ::close(reader);
  source->interrupt();
  EXPECT_EQ(waiting.get(), ECANCELED);
}

TEST_F(PipeSourceTest, AHeldPictureStaysAsItIs) {
  const auto source = raw(fifo_);
  const Writer writer(fifo_);
  source->begin();
  writer.write(picture(kYuyv, 0));
  const auto held = source->next();
  ASSERT_TRUE(held);
  for (unsigned number = 1; number < 12; ++number) {
    writer.write(picture(kYuyv, number));
    expect_picture(*source, picture(kYuyv, number));
  }
  source->end();
  EXPECT_EQ(bytes_of(*held), picture(kYuyv, 0));
}

TEST_F(PipeSourceTest, GarbageOfAWriterIsAnErrorAndTheNextOneGoesOn) {
  const auto source = y4m(fifo_);
  source->begin();
  {
    const Writer writer(fifo_);
    writer.write(std::string(kHeader) + y4m_frame(0) + "GARBAGE" + y4m_frame(1));
    expect_picture(*source, picture(k420, 0));
    const auto shot = source->next();
    ASSERT_FALSE(shot);
    EXPECT_EQ(shot.error().code, EPROTO);
    EXPECT_THAT(shot.error().message, HasSubstr("FRAME"));
    EXPECT_THAT(shot.error().message, HasSubstr(fifo_));
    // What it sends after that isn't taken for pictures.
    writer.write(std::string(kHeader) + y4m_frame(2));
    auto waiting = std::async(std::launch::async, [&] { return next_error(*source); });
    EXPECT_EQ(waiting.wait_for(milliseconds(30)), std::future_status::timeout);
    source->interrupt();
    EXPECT_EQ(waiting.get(), ECANCELED);
  }
  source->begin();
  auto shot = std::async(std::launch::async, [&] { return source->next(); });
  // Until it has seen that the writer has gone there's none to write to, or one that is skipped.
  while (shot.wait_for(milliseconds(20)) != std::future_status::ready) {
    const Writer writer(fifo_);
    writer.write(std::string(kHeader) + y4m_frame(3));
  }
  const auto third = shot.get();
  ASSERT_TRUE(third) << third.error().message;
  EXPECT_EQ(bytes_of(*third), picture(k420, 3));
}

TEST_F(PipeSourceTest, BrokenFilesAreRefusedWhenOpened) {
  for (const std::string_view text : {"",
                                      "YUV4",
                                      "YUV4MPEG2",
                                      "YUV4MPEG2\n",
                                      "YUV4MPEG2 W32\n",
                                      "YUV4MPEG2 H24\n",
                                      "YUV4MPEG2 W H24\n",
                                      "YUV4MPEG2 W15 H24\n",
                                      "YUV4MPEG2 W4097 H24\n",
                                      "YUV4MPEG2 W99999999999999999999 H24\n",
                                      "YUV4MPEG2 W-32 H24\n",
                                      "YUV4MPEG2 W32x H24\n",
                                      "YUV4MPEG2 W32 H24 F30\n",
                                      "YUV4MPEG2 W32 H24 F30:0\n",
                                      "YUV4MPEG2 W32 H24 F1:x\n",
                                      "YUV4MPEG2 W32 H24 F1001:1\n",
                                      "YUV4MPEG2 W32 H24 F1:3601\n",
                                      "YUV4MPEG2 W32 H24 C420p10\n",
                                      "YUV4MPEG2 W32 H24 C444alpha\n",
                                      "YUV4MPEG2 W32 H24 C\n",
                                      "YUV4MPEG3 W32 H24\n",
                                      "YUV4MPEG2W32 H24\n",
                                      "\x89PNG\r\n\x1a\n"}) {
    const Error error = refused({Kind::y4m, written(text)});
    EXPECT_EQ(error.code, EPROTO) << text;
    EXPECT_THAT(error.message, HasSubstr((folder_ / "file").string() + ": "));
  }
  EXPECT_EQ(refused({Kind::y4m, written("YUV4MPEG2 W32 H24 X" + std::string(2000, 'x') + "\n")}).code, EPROTO);
}

TEST_F(PipeSourceTest, AFrameLineThatNeverEndsIsAnError) {
  const auto source = y4m(written(std::string(kHeader) + "FRAME " + std::string(5000, 'x') + "\n"));
  source->begin();
  EXPECT_EQ(next_error(*source), EPROTO);
  EXPECT_EQ(next_error(*source), EPROTO);
  source->begin();
  EXPECT_EQ(next_error(*source), EPROTO);
}

TEST_F(PipeSourceTest, WhatCannotBeOpenedIsSaid) {
  EXPECT_EQ(refused({Kind::y4m, folder_ / "nothing"}).code, ENOENT);
  EXPECT_EQ(refused({Kind::y4m, folder_.path()}).code, EISDIR);
  const PixelFormat* const yuyv = find_pixel_format("YUYV");
  EXPECT_THAT(refused({Kind::raw, fifo_, yuyv}).message, HasSubstr("say --size"));
  EXPECT_THAT(refused({Kind::raw, fifo_, yuyv}, {.size = Size{33, 24}}).message, HasSubstr("a multiple of 2"));
  EXPECT_EQ(refused({Kind::raw, fifo_, find_pixel_format("MJPEG")}, {.size = kSize}).code, EINVAL);
}

TEST_F(PipeSourceTest, AFifoThatBecameSomethingElseIsSaid) {
  const auto source = raw(fifo_);
  source->begin();
  {
    const Writer writer(fifo_);
    writer.write(picture(kYuyv, 0));
  }
  expect_picture(*source, picture(kYuyv, 0));
  std::filesystem::remove(fifo_);
  std::ofstream(fifo_) << "no FIFO";
  EXPECT_EQ(next_error(*source), ENODATA);
}

}  // namespace
}  // namespace dmmap::camera
