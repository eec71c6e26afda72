// Files that the ffmpeg program makes of pictures with frame marks.
#include "servers/camera/sources/file_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "camera/lines.h"
#include "servers/camera/picture/av.h"
#include "servers/camera/sources/frame_mark.h"
#include "support/files.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"
#include "support/text.h"

namespace dmmap::camera {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Size kSize{96, 64};
constexpr unsigned kFrames = 10;

std::ptrdiff_t descriptors() {
  const std::filesystem::directory_iterator open("/proc/self/fd");
  return std::distance(begin(open), end(open));
}

class FileSourceTest : public ::testing::Test {
 protected:
  void SetUp() override { DMMAP_NEEDS(testing::needs::program("ffmpeg")); }

  // `frames` grey pictures with marks from 0 on, 25 a second, encoded as `arguments` say.
  std::string video(const std::string& name, std::vector<std::string> arguments, unsigned frames = kFrames,
                    Size size = kSize) {
    const std::string raw = folder_ / "raw";
    {
      std::ofstream file(raw, std::ios::binary);
      for (unsigned number = 0; number < frames; ++number) {
        std::string luma(std::size_t{size.width} * size.height, 'z');
        draw_frame_marks(reinterpret_cast<std::uint8_t*>(luma.data()), static_cast<std::ptrdiff_t>(size.width), size,
                         number);
        file << luma;
      }
    }
    std::vector<std::string> command{"ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "gray", "-s"};
    command.push_back(std::to_string(size.width) + "x" + std::to_string(size.height));
    command.insert(command.end(), {"-r", "25", "-i", raw});
    command.insert(command.end(), arguments.begin(), arguments.end());
    command.push_back(folder_ / name);
    const auto made = testing::run(command, std::chrono::seconds(50));
    EXPECT_EQ(made.status, 0) << made.err;
    return folder_ / name;
  }
  std::string png_video(const std::string& name = "v.mkv") { return video(name, {"-c:v", "png"}); }
  std::string written(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }

  std::unique_ptr<Source> open(const std::string& path, const SourceWish& wish = {}) {
    auto source = open_source({SourceChoice::Kind::file, path}, wish, lines_.sink());
    EXPECT_TRUE(source) << source.error().message;
    return source ? std::move(*source) : nullptr;
  }
  Error refused(const std::string& path) {
    ::testing::internal::CaptureStderr();
    const auto source = open_source({SourceChoice::Kind::file, path}, {}, lines_.sink());
    EXPECT_THAT(::testing::internal::GetCapturedStderr(), IsEmpty());
    EXPECT_FALSE(source) << path;
    return source ? Error{} : source.error();
  }

  testing::TemporaryDirectory folder_;
  Lines lines_;
};

std::uint32_t mark_of(const Shot& shot) {
  const AVFrame& picture = *shot.picture;
  const auto mark = read_frame_mark(picture.data[0], picture.linesize[0], size_of(picture));
  EXPECT_TRUE(mark) << "of shot " << shot.number;
  return mark.value_or(~0U);
}

// The next `count` shots. However slow the machine is: they're in order, and never more is missing than the numbers
// say.
std::vector<Shot> take(Source& source, unsigned count, unsigned frames = kFrames) {
  std::vector<Shot> shots;
  for (unsigned i = 0; i < count; ++i) {
    auto shot = source.next();
    EXPECT_TRUE(shot) << shot.error().message;
    if (!shot) {
      break;
    }
    if (!shots.empty()) {
      EXPECT_GT(shot->number, shots.back().number);
      EXPECT_GT(shot->time, shots.back().time);
      const unsigned passed = (mark_of(*shot) + frames - mark_of(shots.back())) % frames;
      EXPECT_LE(passed, shot->number - shots.back().number);
    }
    EXPECT_LE(shot->time, Clock::now());
    shots.push_back(std::move(*shot));
  }
  return shots;
}

TEST_F(FileSourceTest, AVideoPlaysByItsTimestampsAndLoops) {
  for (const auto& [name, arguments] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"png.mkv", {"-c:v", "png"}},
           {"lossless.mkv", {"-c:v", "ffv1"}},
           {"reordered.mp4", {"-c:v", "mpeg4", "-bf", "2", "-q:v", "2"}},
           {"stream.ts", {"-c:v", "mpeg2video", "-bf", "2", "-q:v", "2"}},
           {"jpegs.avi", {"-c:v", "mjpeg", "-q:v", "2"}},
           {"plain.y4m", {"-pix_fmt", "yuv420p"}}}) {
    SCOPED_TRACE(name);
    const auto source = open(video(name, arguments));
    ASSERT_TRUE(source);
    EXPECT_EQ(source->about().size, kSize);
    EXPECT_EQ(source->about().rate, (Rate{25, 1}));
    source->begin();
    const auto shots = take(*source, 2 * kFrames + 3);
    EXPECT_EQ(shots.front().number, 0U);
    EXPECT_EQ(mark_of(shots.front()), 0U);
    EXPECT_GE(shots.back().number, 2 * kFrames + 2);
    EXPECT_GE(shots.back().time - shots.front().time, milliseconds(40) * (2 * kFrames + 2) - milliseconds(2));
    source->end();
  }
  EXPECT_THAT(lines_.text(), IsEmpty());
}

TEST_F(FileSourceTest, EachBeginIsFromTheStart) {
  const auto source = open(png_video());
  for (int round = 0; round < 3; ++round) {
    source->begin();
    const auto shots = take(*source, 3);
    EXPECT_EQ(mark_of(shots.front()), 0U);
    EXPECT_EQ(shots.front().number, 0U);
    source->end();
  }
}

// Whether this machine was quick enough for it: a film that is too late goes on from there, and isn't hurried after.
bool is_shown_at(Source& source, unsigned rate) {
  Shot last{};
  for (int i = 0; i < 8; ++i) {
    const auto shot = source.next();
    if (!shot) {
      ADD_FAILURE() << shot.error().message;
      return true;
    }
    if (Clock::now() - shot->time > milliseconds(200)) {
      return false;
    }
    EXPECT_EQ(mark_of(*shot), shot->number * 25 / rate % kFrames);
    if (last.picture && mark_of(last) == mark_of(*shot)) {
      EXPECT_EQ(last.picture, shot->picture);
    }
    last = *shot;
  }
  return true;
}

TEST_F(FileSourceTest, AVideoIsShownAtTheWishedRate) {
  const std::string file = png_video();
  for (const unsigned rate : {50U, 100U, 5U}) {
    const auto source = open(file, {.rate = Rate{rate, 1}});
    EXPECT_EQ(source->about().rate, (Rate{rate, 1}));
    bool done = false;
    for (int attempt = 0; attempt < 10 && !done; ++attempt) {
      source->begin();
      done = is_shown_at(*source, rate);
      source->end();
    }
    EXPECT_TRUE(done) << "this machine is too slow for " << rate << " frames a second";
  }
}

TEST_F(FileSourceTest, APictureIsDecodedOnce) {
  const auto source = open(video("p.png", {"-pix_fmt", "rgb24"}, 1));
  EXPECT_EQ(source->about(), (About{kSize, {30, 1}, find_pixel_format("RGB24")}));
  Picture before;
  for (int round = 0; round < 2; ++round) {
    source->begin();
    const auto first = source->next();
    const auto second = source->next();
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->picture, second->picture);
    EXPECT_NE(first->picture, before);
    before = first->picture;
    EXPECT_GT(second->number, first->number);
    EXPECT_EQ(second->time - first->time, std::chrono::nanoseconds(33'333'333) * (second->number - first->number));
    source->end();
  }
}

TEST_F(FileSourceTest, PicturesKeepTheirSizeAndAboutSaysWhatIsOffered) {
  const std::string file = video("odd.jpg", {"-pix_fmt", "yuvj420p"}, 1, {97, 65});
  const auto as_it_is = open(file);
  EXPECT_EQ(as_it_is->about(), (About{{97, 65}, {30, 1}, nullptr}));
  const auto wished = open(file, {.size = Size{640, 480}, .rate = Rate{200, 1}});
  EXPECT_EQ(wished->about(), (About{{640, 480}, {200, 1}, nullptr}));
  wished->begin();
  const auto shot = wished->next();
  ASSERT_TRUE(shot);
  EXPECT_EQ(size_of(*shot->picture), (Size{97, 65}));
  EXPECT_EQ(mark_of(*shot), 0U);
}

TEST_F(FileSourceTest, SizesBeyondTheLimitsAreOfferedWithinThem) {
  EXPECT_EQ(open(video("wide.png", {"-vf", "scale=5000:2500"}, 1))->about().size, (Size{4096, 2048}));
  EXPECT_EQ(open(video("small.png", {"-vf", "scale=8:4"}, 1))->about().size, (Size{32, 16}));
}

TEST_F(FileSourceTest, ANameSaysNothing) {
  std::filesystem::rename(video("x.png", {"-pix_fmt", "rgb24"}, 1), folder_ / "a %03d *.txt");
  const auto source = open(folder_ / "a %03d *.txt");
  ASSERT_TRUE(source);
  EXPECT_EQ(source->about().native, find_pixel_format("RGB24"));
}

TEST_F(FileSourceTest, WhatIsntAPictureIsRefused) {
  EXPECT_EQ(refused(folder_ / "nothing").code, ENOENT);
  EXPECT_EQ(refused(folder_.path()).code, EISDIR);
  EXPECT_EQ(refused("/dev/zero").code, EINVAL);
  const std::string fifo = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(refused(fifo).message, HasSubstr("y4m:PATH"));
  EXPECT_EQ(refused(written("empty.png", "")).code, EPROTO);
  const Error text = refused(written("text.txt", "This is no picture.\nNor is this.\n"));
  EXPECT_EQ(text.code, EPROTO);
  EXPECT_THAT(text.message, HasSubstr("name a PNG"));
  const std::string png = testing::bytes_of(video("p.png", {}, 1));
  EXPECT_EQ(refused(written("cut.png", png.substr(0, 20))).code, EPROTO);
  EXPECT_EQ(refused(written("head.png", png.substr(0, 40))).code, EPROTO);
  const std::string sound = folder_ / "sound.wav";
  EXPECT_EQ(
      testing::run({"ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "sine=d=0.1", sound}, milliseconds(50'000))
          .status,
      0);
  EXPECT_THAT(refused(sound).message, HasSubstr("no pictures"));
}

TEST_F(FileSourceTest, APlaylistOpensNothingElse) {
  const std::string video = png_video();
  EXPECT_EQ(refused(written("list.ffconcat", "ffconcat version 1.0\nfile " + video + "\n")).code, EPROTO);
  EXPECT_EQ(refused(written("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + video + "\n")).code,
            EPROTO);
}

TEST_F(FileSourceTest, AFileThatEndsEarlyLoops) {
  const std::string whole = testing::bytes_of(png_video());
  const auto source = open(written("cut.mkv", whole.substr(0, whole.size() / 2)));
  ASSERT_TRUE(source);
  source->begin();
  std::vector<std::uint32_t> marks;
  for (unsigned i = 0; i < kFrames; ++i) {
    const auto shot = source->next();
    ASSERT_TRUE(shot);
    marks.push_back(mark_of(*shot));
  }
  EXPECT_EQ(std::count(marks.begin(), marks.end(), kFrames - 1), 0);
  EXPECT_GE(std::count_if(marks.begin(), marks.end(), [](std::uint32_t mark) { return mark < 3; }), 4);
}

// Breaks the PNGs of a video from `first` to before `beyond`, in the file itself.
void break_pngs(const std::string& file, unsigned first, unsigned beyond) {
  const std::string bytes = testing::bytes_of(file);
  std::size_t at = 0;
  for (unsigned i = 0; i < beyond; ++i, ++at) {
    at = bytes.find("\x89PNG", at);
    ASSERT_NE(at, std::string::npos);
    if (i >= first) {
      ASSERT_TRUE(testing::flip_bit(file, at));
    }
  }
}

TEST_F(FileSourceTest, ABrokenPictureInTheMiddleIsLeftOut) {
  const std::string file = png_video();
  break_pngs(file, 4, 6);
  const auto source = open(file);
  ASSERT_TRUE(source);
  source->begin();
  ::testing::internal::CaptureStderr();
  std::vector<std::uint32_t> marks;
  while (testing::count(lines_.text(), "left out") < 2) {
    const auto shot = source->next();
    ASSERT_TRUE(shot);
    marks.push_back(mark_of(*shot));
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), IsEmpty());
  EXPECT_GE(std::count(marks.begin(), marks.end(), 7U), 1);
  EXPECT_EQ(std::count(marks.begin(), marks.end(), 4U) + std::count(marks.begin(), marks.end(), 5U), 0);
  EXPECT_EQ(testing::count(lines_.text(), "\n"), 2U);
}

TEST_F(FileSourceTest, AFileInWhichNothingIsLeftIsAnError) {
  for (const SourceWish& wish : {SourceWish{}, SourceWish{.rate = Rate{100, 1}}}) {
    const std::string file = png_video();
    const auto source = open(file, wish);
    ASSERT_TRUE(source);
    source->begin();
    ASSERT_TRUE(source->next());
    source->end();
    break_pngs(file, 0, kFrames);
    source->begin();
    const auto shot = source->next();
    ASSERT_FALSE(shot);
    EXPECT_EQ(shot.error().code, EIO) << shot.error().message;
    source->end();
    std::filesystem::remove(file);
    source->begin();
    EXPECT_EQ(source->next().error().code, ENOENT);
    source->end();
    (void)png_video();
    source->begin();
    EXPECT_TRUE(source->next());
  }
}

TEST_F(FileSourceTest, NothingIsHeldAfterTheEnd) {
  const std::string file = png_video();
  const auto before = descriptors();
  const auto source = open(file);
  EXPECT_EQ(descriptors(), before);
  source->begin();
  ASSERT_TRUE(source->next());
  EXPECT_EQ(descriptors(), before + 1);
  source->end();
  EXPECT_EQ(descriptors(), before);
}

TEST_F(FileSourceTest, ItIsInterruptedUntilItBegins) {
  const auto source = open(video("slow.mkv", {"-c:v", "png", "-vf", "setpts=1000*PTS"}));
  ASSERT_TRUE(source);
  source->begin();
  ASSERT_TRUE(source->next());
  auto waiting = std::async(std::launch::async, [&] { return source->next(); });
  EXPECT_EQ(waiting.wait_for(milliseconds(50)), std::future_status::timeout);
  source->interrupt();
  EXPECT_EQ(waiting.get().error().code, ECANCELED);
  EXPECT_EQ(source->next().error().code, ECANCELED);
  source->begin();
  EXPECT_TRUE(source->next());
}

TEST_F(FileSourceTest, WhoComesLateIsToldByTheNumbers) {
  const auto source = open(png_video());
  source->begin();
  const auto first = source->next();
  ASSERT_TRUE(first);
  std::this_thread::sleep_for(milliseconds(150));  // what makes it late
  const auto second = source->next();
  ASSERT_TRUE(second);
  EXPECT_GE(second->number, 3U);
  EXPECT_GE(second->time - first->time, milliseconds(110));
  EXPECT_LE(second->time, Clock::now());
}

}  // namespace
}  // namespace dmmap::camera
