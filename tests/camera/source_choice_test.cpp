#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "servers/camera/sources/source.h"

namespace dmmap::camera {
namespace {

using Kind = SourceChoice::Kind;
using ::testing::HasSubstr;

void ignore(LogLevel /*level*/, const std::string& /*text*/) {}

SourceChoice parsed(const std::string& text) {
  auto choice = parse_source(text);
  EXPECT_TRUE(choice) << text << ": " << choice.error().message;
  return choice.value_or(SourceChoice{Kind::device, "failed"});
}

std::string refused(const std::string& text) {
  const auto choice = parse_source(text);
  EXPECT_FALSE(choice) << text;
  if (choice) {
    return {};
  }
  EXPECT_EQ(choice.error().code, EINVAL) << text;
  return choice.error().message;
}

TEST(SourceChoice, IsParsed) {
  EXPECT_EQ(parsed("pattern"), (SourceChoice{Kind::pattern}));
  EXPECT_EQ(parsed("device"), (SourceChoice{Kind::device}));
  EXPECT_EQ(parsed("file:/a/b.png"), (SourceChoice{Kind::file, "/a/b.png"}));
  EXPECT_EQ(parsed("y4m:/a:b"), (SourceChoice{Kind::y4m, "/a:b"}));
  EXPECT_EQ(parsed("y4m:-"), (SourceChoice{Kind::y4m, "-"}));
  EXPECT_EQ(parsed("raw:YUYV:-"), (SourceChoice{Kind::raw, "-", find_pixel_format("YUYV")}));
  EXPECT_EQ(parsed("raw:NV12:/x:y"), (SourceChoice{Kind::raw, "/x:y", find_pixel_format("NV12")}));
}

TEST(SourceChoice, PathsAreMadeAbsolute) {
  const std::string here = std::filesystem::current_path().string();
  EXPECT_EQ(parsed("file:a.png").file, here + "/a.png");
  EXPECT_EQ(parsed("raw:GREY:pipe").file, here + "/pipe");
  EXPECT_EQ(parsed("y4m:./-").file, here + "/./-");
}

TEST(SourceChoice, WhatItIsntIsSaid) {
  EXPECT_THAT(refused(""), HasSubstr("say pattern, file:PATH"));
  EXPECT_THAT(refused("Pattern"), HasSubstr("'Pattern'"));
  EXPECT_THAT(refused("pattern:"), HasSubstr("say pattern"));
  EXPECT_THAT(refused("file"), HasSubstr("say pattern, file:PATH"));
  EXPECT_THAT(refused("file:"), HasSubstr("say file:PATH"));
  EXPECT_THAT(refused("file:-"), HasSubstr("y4m:-"));
  EXPECT_THAT(refused("y4m:"), HasSubstr("say y4m:PATH"));
  EXPECT_THAT(refused("raw:YUYV"), HasSubstr("raw:FORMAT:PATH"));
  EXPECT_THAT(refused("raw::x"), HasSubstr("YUYV, UYVY, NV12"));
  EXPECT_THAT(refused("raw:H264:x"), HasSubstr("'H264'"));
  EXPECT_THAT(refused("raw:YUYV:"), HasSubstr("say raw:YUYV:PATH"));
  EXPECT_THAT(refused(std::string("file:a\0b", 8)), HasSubstr("NUL"));
}

TEST(OpenSource, RefusesWhatCannotBe) {
  const auto error_of = [](const SourceChoice& choice, const SourceWish& wish) {
    const auto source = open_source(choice, wish, ignore);
    EXPECT_FALSE(source);
    return source ? Error{} : source.error();
  };
  EXPECT_EQ(error_of({Kind::device}, {}).code, EINVAL);
  EXPECT_THAT(error_of({Kind::device}, {}).message, HasSubstr("producers"));
  EXPECT_EQ(error_of({}, {.size = Size{15, 480}}).code, EINVAL);
  EXPECT_THAT(error_of({}, {.size = Size{640, 4097}}).message, HasSubstr("16 to 4096"));
  EXPECT_EQ(error_of({}, {.rate = Rate{0, 1}}).code, EINVAL);
  EXPECT_EQ(error_of({}, {.rate = Rate{30, 0}}).code, EINVAL);
  EXPECT_THAT(error_of({}, {.rate = Rate{1, 3601}}).message, HasSubstr("one an hour"));
  EXPECT_THAT(error_of({}, {.rate = Rate{1001, 1}}).message, HasSubstr("at most 1000"));
  EXPECT_EQ(error_of({Kind::raw, "/dev/null"}, {}).code, EINVAL);
}

}  // namespace
}  // namespace dmmap::camera
