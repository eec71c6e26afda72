#include "servers/camera/sources/frame_mark.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "servers/camera/picture/av.h"
#include "support/generators.h"

namespace dmmap::camera {
namespace {

struct Grey {
  Size size;
  std::vector<std::uint8_t> luma;
  [[nodiscard]] std::ptrdiff_t stride() const { return static_cast<std::ptrdiff_t>(size.width); }
  [[nodiscard]] FrameMarks marks() const { return read_frame_marks(luma.data(), stride(), size); }
};

Grey marked(Size size, std::uint32_t number) {
  Grey picture{size, std::vector<std::uint8_t>(std::size_t{size.width} * size.height, 126)};
  draw_frame_marks(picture.luma.data(), picture.stride(), size, number);
  return picture;
}

// As a converter does it.
Grey scaled(const Grey& from, Size to, int how) {
  const Scaler scaler(sws_getContext(static_cast<int>(from.size.width), static_cast<int>(from.size.height),
                                     AV_PIX_FMT_GRAY8, static_cast<int>(to.width), static_cast<int>(to.height),
                                     AV_PIX_FMT_GRAY8, how, nullptr, nullptr, nullptr));
  const NewPicture padded = new_picture(AV_PIX_FMT_GRAY8, from.size);
  const NewPicture result = new_picture(AV_PIX_FMT_GRAY8, to);
  for (unsigned y = 0; y < from.size.height; ++y) {
    std::copy_n(from.luma.begin() + from.stride() * y, from.size.width,
                padded->data[0] + padded->linesize[0] * static_cast<std::ptrdiff_t>(y));
  }
  sws_scale(scaler.get(), padded->data, padded->linesize, 0, padded->height, result->data, result->linesize);
  Grey picture{to, {}};
  for (unsigned y = 0; y < to.height; ++y) {
    const std::uint8_t* const line = result->data[0] + result->linesize[0] * static_cast<std::ptrdiff_t>(y);
    picture.luma.insert(picture.luma.end(), line, line + to.width);
  }
  return picture;
}

struct JpegEnd {
  void operator()(void* handle) const { tjDestroy(handle); }
};

Grey through_jpeg(const Grey& from, int quality) {
  const auto width = static_cast<int>(from.size.width);
  const auto height = static_cast<int>(from.size.height);
  const std::unique_ptr<void, JpegEnd> compress(tjInitCompress());
  const std::unique_ptr<void, JpegEnd> decompress(tjInitDecompress());
  unsigned char* jpeg = nullptr;
  unsigned long bytes = 0;
  EXPECT_EQ(tjCompress2(compress.get(), from.luma.data(), width, width, height, TJPF_GRAY, &jpeg, &bytes, TJSAMP_GRAY,
                        quality, 0),
            0);
  Grey picture{from.size, std::vector<std::uint8_t>(from.luma.size())};
  EXPECT_EQ(tjDecompress2(decompress.get(), jpeg, bytes, picture.luma.data(), width, width, height, TJPF_GRAY, 0), 0);
  tjFree(jpeg);
  return picture;
}

constexpr FrameMarks both(std::uint32_t number) {
  return {number, number};
}

RC_GTEST_PROP(FrameMark, IsReadAsItWasDrawn, ()) {
  const Size size{*testing::in_range(64U, 800U), *testing::in_range(64U, 600U)};
  const auto number = *rc::gen::arbitrary<std::uint32_t>();
  RC_ASSERT(marked(size, number).marks() == both(number));
}

RC_GTEST_PROP(FrameMark, SurvivesScaling, ()) {
  const Size size{*testing::in_range(64U, 700U), *testing::in_range(128U, 500U)};
  const auto half_to_twice = [](unsigned side) { return *testing::in_range((side + 1) / 2, side * 2 + 1); };
  const Size other{half_to_twice(size.width), half_to_twice(size.height)};
  const auto number = *rc::gen::arbitrary<std::uint32_t>();
  const int how = *rc::gen::element(SWS_BICUBIC, SWS_BILINEAR, SWS_FAST_BILINEAR, SWS_AREA, SWS_POINT);
  RC_LOG() << size.width << "x" << size.height << " to " << other.width << "x" << other.height << " by " << how;
  RC_ASSERT(scaled(marked(size, number), other, how).marks() == both(number));
}

RC_GTEST_PROP(FrameMark, SurvivesJpeg, ()) {
  const Size size{*testing::in_range(64U, 700U), *testing::in_range(64U, 500U)};
  const auto number = *rc::gen::arbitrary<std::uint32_t>();
  RC_ASSERT(through_jpeg(marked(size, number), *testing::in_range(50, 101)).marks() == both(number));
}

TEST(FrameMark, SurvivesScalingAndJpegTogether) {
  for (std::uint32_t number = 0; number < 50; ++number) {
    const Grey first = through_jpeg(marked({640, 480}, number * 77'777'777U), 75);
    const Grey second = through_jpeg(scaled(first, {320, 240}, SWS_BICUBIC), 75);
    EXPECT_EQ(second.marks(), both(number * 77'777'777U));
  }
}

TEST(FrameMark, IsReadFromPackedAndWideRangeLuma) {
  const Size size{160, 120};
  std::vector<std::uint8_t> yuyv(std::size_t{size.width} * 2 * size.height, 128);
  draw_frame_marks(yuyv.data(), 320, size, 123456, 2);
  EXPECT_EQ(read_frame_mark(yuyv.data(), 320, size, 2), 123456U);
  for (std::size_t i = 1; i < yuyv.size(); i += 2) {
    ASSERT_EQ(yuyv[i], 128);  // chroma is as it was
  }
  Grey wide = marked(size, 99);
  for (std::uint8_t& each : wide.luma) {
    each = each == 16 ? 0 : each == 235 ? 255 : each;
  }
  EXPECT_EQ(wide.marks().whole(), 99U);
}

RC_GTEST_PROP(FrameMark, ATornPictureIsFound, ()) {
  const Size size{*testing::in_range(64U, 400U), *testing::in_range(64U, 400U)};
  const auto first = *rc::gen::arbitrary<std::uint32_t>();
  const auto second = *rc::gen::distinctFrom(first);
  const Grey upper = marked(size, first);
  Grey torn = marked(size, second);
  const unsigned line = *testing::in_range(1U, size.height);
  std::copy_n(upper.luma.begin(), upper.stride() * line, torn.luma.begin());
  const FrameMarks marks = torn.marks();
  const unsigned edge = mark_height(size.height) + 1;
  if (line >= edge && line <= size.height - edge) {
    RC_ASSERT(marks == (FrameMarks{first, second}));
    RC_ASSERT(marks.torn());
  }
  // Within a mark it's that mark which can't be read, or is one of the two.
  RC_ASSERT(!marks.upper || *marks.upper == first || *marks.upper == second);
  RC_ASSERT(!marks.lower || *marks.lower == first || *marks.lower == second);
}

TEST(FrameMark, WhatHasNoneIsntRead) {
  for (const int luma : {0, 16, 126, 235, 255}) {
    const Size size{128, 128};
    const std::vector<std::uint8_t> plain(std::size_t{128} * 128, static_cast<std::uint8_t>(luma));
    EXPECT_EQ(read_frame_marks(plain.data(), 128, size), FrameMarks{}) << luma;
  }
  const std::vector<std::uint8_t> tiny(std::size_t{16} * 16, 16);
  EXPECT_EQ(read_frame_marks(tiny.data(), 16, {16, 16}), FrameMarks{});
  EXPECT_FALSE(has_room_for_mark({63, 480}));
  EXPECT_FALSE(has_room_for_mark({640, 63}));
  EXPECT_TRUE(has_room_for_mark({64, 64}));
}

TEST(FrameMark, ADamagedOneIsntTakenForAWhole) {
  // Each single cell, and each pair of neighbours, the other way round.
  const Size size{64, 64};
  for (unsigned cell = 0; cell < 48; ++cell) {
    for (unsigned wide = 1; wide <= 2; ++wide) {
      Grey picture = marked(size, 0xABCD1234);
      for (unsigned y = cell / 16 * 2; y < cell / 16 * 2 + 2; ++y) {
        for (unsigned x = cell % 16 * 4; x < std::min((cell % 16 + wide) * 4, 64U); ++x) {
          std::uint8_t& pixel = picture.luma[std::size_t{y} * 64 + x];
          pixel = pixel == 16 ? 235 : 16;
        }
      }
      EXPECT_EQ(picture.marks(), (FrameMarks{std::nullopt, 0xABCD1234})) << cell;
    }
  }
}

}  // namespace
}  // namespace dmmap::camera
