#include "servers/camera/sources/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "servers/camera/picture/av.h"
#include "servers/camera/sources/frame_mark.h"
#include "servers/camera/sources/pattern_source.h"
#include "support/process.h"
#include "support/requirement.h"
#include "support/temporary_directory.h"

namespace dmmap::camera {
namespace {

using std::chrono::milliseconds;
using Wall = std::chrono::system_clock;
using ::testing::HasSubstr;

std::uint8_t luma(const AVFrame& picture, unsigned x, unsigned y) {
  return picture.data[0][static_cast<std::ptrdiff_t>(y) * picture.linesize[0] + std::ptrdiff_t{2} * x];
}

FrameMarks marks_of(const AVFrame& picture) {
  return read_frame_marks(picture.data[0], picture.linesize[0], size_of(picture), 2);
}

// What stands in the area, by comparing each cell with all glyphs; '?' for what isn't any.
std::string read_text(const AVFrame& picture, Rectangle area, unsigned scale) {
  std::string text;
  for (unsigned i = 0; (i + 1) * kGlyphAcross * scale <= area.width; ++i) {
    char found = '?';
    for (const char candidate : kGlyphs) {
      bool same = true;
      for (unsigned y = 0; y < 7 && same; ++y) {
        for (unsigned x = 0; x < 5 && same; ++x) {
          const bool lit = ((unsigned{glyph(candidate)[y]} >> (4 - x)) & 1U) != 0;
          same = lit == (luma(picture, area.x + (i * kGlyphAcross + 1 + x) * scale + scale / 2,
                              area.y + (y + 1) * scale + scale / 2) > 128);
        }
      }
      if (same) {
        found = candidate;
        break;
      }
    }
    text += found;
  }
  return text;
}

bool same_bytes(const AVFrame& first, const AVFrame& second) {
  const std::size_t line = (std::size_t{size_of(first).width} + 1) / 2 * 4;
  for (std::ptrdiff_t y = 0; y < first.height; ++y) {
    if (std::memcmp(first.data[0] + y * first.linesize[0], second.data[0] + y * second.linesize[0], line) != 0) {
      return false;
    }
  }
  return true;
}

// What zbarimg reads in the picture's luma, scaled to that size.
std::string scanned(const AVFrame& picture, Size to) {
  const Scaler scaler(sws_getContext(picture.width, picture.height, AV_PIX_FMT_YUYV422, static_cast<int>(to.width),
                                     static_cast<int>(to.height), AV_PIX_FMT_GRAY8, SWS_BICUBIC, nullptr, nullptr,
                                     nullptr));
  const NewPicture grey = new_picture(AV_PIX_FMT_GRAY8, to);
  sws_scale(scaler.get(), picture.data, picture.linesize, 0, picture.height, grey->data, grey->linesize);
  const testing::TemporaryDirectory folder;
  {
    std::ofstream file(folder / "picture.pgm", std::ios::binary);
    file << "P5 " << to.width << " " << to.height << " 255\n";
    for (unsigned y = 0; y < to.height; ++y) {
      const std::uint8_t* const line = grey->data[0] + static_cast<std::ptrdiff_t>(y) * grey->linesize[0];
      file << std::string(line, line + to.width);
    }
  }
  return testing::run({"zbarimg", "--quiet", "--raw", folder / "picture.pgm"}, milliseconds(50'000)).out;
}

TEST(Pattern, SaysItsNumberToPrograms) {
  for (const Size size : {Size{64, 64}, Size{65, 67}, Size{160, 120}, Size{320, 240}, Size{640, 480}, Size{1280, 720},
                          Size{4096, 16}, Size{64, 4096}, Size{4096, 4096}}) {
    Pattern pattern(size, "video0");
    for (const std::uint64_t number : {0U, 1U, 2U, 500U, 4'000'000'000U}) {
      const Picture picture = pattern.draw(number, Wall::now());
      const auto expected = has_room_for_mark(size) ? std::optional(static_cast<std::uint32_t>(number)) : std::nullopt;
      EXPECT_EQ(marks_of(*picture).whole(), expected) << size.width << "x" << size.height;
    }
  }
}

TEST(Pattern, AllSizesCanBeDrawnAndWhatIsThereFits) {
  for (unsigned width = 16; width < 700; width += width < 140 ? 1 : 37) {
    for (unsigned height = 16; height < 600; height += height < 140 ? 3 : 41) {
      const Size size{width, height};
      const PatternLayout layout = lay_out_pattern(size);
      const unsigned edge = layout.marks ? mark_height(height) : 0;
      for (const Rectangle& each : {layout.band, layout.number, layout.clock, layout.qr}) {
        if (each.width > 0) {
          ASSERT_LE(each.x + each.width, width) << width << "x" << height;
          ASSERT_LE(each.y + each.height, height - edge) << width << "x" << height;
          ASSERT_GE(each.y, edge) << width << "x" << height;
        }
      }
      const auto apart = [](const Rectangle& a, const Rectangle& b) {
        return a.width == 0 || b.width == 0 || a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y ||
               b.y + b.height <= a.y;
      };
      ASSERT_TRUE(apart(layout.qr, layout.number)) << width << "x" << height;
      ASSERT_TRUE(apart(layout.qr, layout.clock)) << width << "x" << height;
      ASSERT_TRUE(apart(layout.number, layout.clock)) << width << "x" << height;
      ASSERT_TRUE(apart(layout.band, layout.qr)) << width << "x" << height;
      ASSERT_TRUE(apart(layout.band, layout.clock)) << width << "x" << height;
      Pattern pattern(size, "v");
      ASSERT_TRUE(pattern.draw(7, Wall::now()));
    }
  }
}

TEST(Pattern, SaysItsNumberAndTheTimeToPeople) {
  const Wall::time_point wall = Wall::time_point(std::chrono::seconds(1'000'000'000)) + milliseconds(7);
  const auto time = std::time_t{1'000'000'000};
  std::tm local{};
  localtime_r(&time, &local);
  std::string expected(8, ' ');
  std::strftime(expected.data(), expected.size() + 1, "%H:%M:%S", &local);
  expected += ".007";
  EXPECT_EQ(clock_text(wall), expected);
  for (const Size size : {Size{128, 96}, Size{320, 240}, Size{641, 481}, Size{1920, 1080}, Size{480, 640}}) {
    Pattern pattern(size, "video0");
    const PatternLayout layout = lay_out_pattern(size);
    ASSERT_GT(layout.text_scale, 0U) << size.width;
    EXPECT_EQ(read_text(*pattern.draw(1234567890123456789U, wall), layout.number, layout.text_scale), "890123456789");
    const Picture picture = pattern.draw(6789012345U, wall);
    EXPECT_EQ(read_text(*picture, layout.number, layout.text_scale), "6789012345  ");
    EXPECT_EQ(read_text(*picture, layout.clock, layout.text_scale), expected);
  }
}

TEST(Pattern, ATimeBeforeTheEpochIsOneToo) {
  EXPECT_THAT(clock_text(Wall::time_point(milliseconds(-1))), HasSubstr(".999"));
}

TEST(Pattern, ItsQrCodeIsScanned) {
  DMMAP_NEEDS(testing::needs::program("zbarimg"));
  for (const auto& [size, to] :
       {std::pair(Size{640, 480}, Size{640, 480}), std::pair(Size{640, 480}, Size{320, 240}),
        std::pair(Size{1280, 720}, Size{640, 480}), std::pair(Size{1920, 1080}, Size{640, 360}),
        std::pair(Size{320, 240}, Size{320, 240}), std::pair(Size{481, 641}, Size{481, 641}),
        std::pair(Size{480, 480}, Size{480, 480})}) {
    Pattern pattern(size, "video0");
    for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{299}, ~std::uint64_t{0}}) {
      const std::string text = "dmmap video0 frame " + std::to_string(number) + "\n";
      EXPECT_EQ(scanned(*pattern.draw(number, Wall::now()), to), text) << to.width << "x" << to.height;
    }
  }
}

TEST(Pattern, ALongNameIsScannedToo) {
  DMMAP_NEEDS(testing::needs::program("zbarimg"));
  Pattern pattern({1280, 720}, std::string(200, 'x'));
  EXPECT_EQ(scanned(*pattern.draw(3, Wall::now()), {1280, 720}), "dmmap " + std::string(64, 'x') + " frame 3\n");
}

TEST(Pattern, ItsBarsAreThoseOfEbu) {
  Pattern pattern({1280, 720}, "video0");
  const Picture picture = pattern.draw(0, Wall::now());
  // Below the upper mark, above all else.
  const std::uint8_t* const line = picture->data[0] + std::ptrdiff_t{70} * picture->linesize[0];
  const std::uint8_t bars[8][3] = {{235, 128, 128}, {162, 44, 142}, {131, 156, 44}, {112, 72, 58},
                                   {84, 184, 198},  {65, 100, 212}, {35, 212, 114}, {16, 128, 128}};
  for (std::size_t i = 0; i < 8; ++i) {
    const std::uint8_t* const pair = line + (i * 160 + 80) * 2;
    EXPECT_EQ(pair[0], bars[i][0]) << i;
    EXPECT_EQ(pair[1], bars[i][1]) << i;
    EXPECT_EQ(pair[3], bars[i][2]) << i;
  }
}

TEST(Pattern, TheBlockMovesWithTheNumberAndLeavesNothingBehind) {
  const Size size{640, 480};
  const Rectangle band = lay_out_pattern(size).band;
  Pattern pattern(size, "video0");
  for (std::uint64_t number = 0; number < 300; ++number) {
    const Picture picture = pattern.draw(number, Wall::now());
    const Rectangle block = moving_block(band, number);
    EXPECT_NE(block, moving_block(band, number + 1));
    for (unsigned x = 0; x < size.width; ++x) {
      const bool within = x >= block.x && x < block.x + block.width;
      ASSERT_EQ(luma(*picture, x, band.y + band.height / 2), within ? 235 : 16) << number << " at " << x;
    }
  }
}

TEST(Pattern, ARecycledPictureIsAsAFreshOne) {
  const Size size{320, 240};
  Pattern used(size, "video0");
  const Wall::time_point wall = Wall::now();
  for (std::uint64_t number = 95; number < 110; ++number) {
    (void)used.draw(number, wall);
  }
  Pattern fresh(size, "video0");
  EXPECT_TRUE(same_bytes(*used.draw(9, wall), *fresh.draw(9, wall)));
}

TEST(Pattern, AHeldPictureStaysAsItIs) {
  Pattern pattern({320, 240}, "video0");
  const Picture held = pattern.draw(1, Wall::now());
  for (std::uint64_t number = 2; number < 20; ++number) {
    (void)pattern.draw(number, Wall::now());
  }
  pattern.forget();
  EXPECT_EQ(marks_of(*held).whole(), 1U);
}

TEST(PatternSource, CountsFromZeroAtEachBegin) {
  PatternSource source({.size = Size{320, 240}, .rate = Rate{500, 1}, .name = "video0"});
  EXPECT_EQ(source.about(), (About{{320, 240}, {500, 1}, find_pixel_format("YUYV")}));
  for (int round = 0; round < 2; ++round) {
    source.begin();
    std::optional<std::uint64_t> last;
    for (int i = 0; i < 10; ++i) {
      const auto shot = source.next();
      ASSERT_TRUE(shot);
      EXPECT_TRUE(last ? shot->number > *last : shot->number < 100) << shot->number;
      EXPECT_EQ(marks_of(*shot->picture).whole(), shot->number);
      last = shot->number;
    }
    source.end();
  }
}

TEST(PatternSource, IsUsuallyOf720Lines) {
  PatternSource source(SourceWish{});
  EXPECT_EQ(source.about(), (About{{1280, 720}, {30, 1}, find_pixel_format("YUYV")}));
  EXPECT_EQ(PatternSource({.size = Size{17, 17}}).about().native, nullptr);
}

TEST(PatternSource, IsInterrupted) {
  PatternSource source({.size = Size{64, 64}, .rate = Rate{1, 1000}});
  source.begin();
  ASSERT_TRUE(source.next());
  source.interrupt();
  const auto shot = source.next();
  ASSERT_FALSE(shot);
  EXPECT_EQ(shot.error().code, ECANCELED);
}

}  // namespace
}  // namespace dmmap::camera
