#include "servers/sound/control/status_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cerrno>

#include "sound/control_card.h"

namespace dmmap::sound::testing {
namespace {

TEST(StatusJsonTest, WhatIsWrittenIsRead) {
  for (const CardStatus& status : {CardStatus{}, two_streams()}) {
    const auto read = status_of(json_of(status));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, status);
  }
}

TEST(StatusJsonTest, EveryEncodingHasAName) {
  CardStatus status = two_streams();
  for (std::size_t i = 0; i < kEncodings; ++i) {
    status.streams[0].playback->format.encoding = static_cast<Encoding>(i);
    const auto read = status_of(json_of(status));
    ASSERT_TRUE(read) << i;
    EXPECT_EQ(*read, status) << i;
  }
}

// What scripts depend on.
TEST(StatusJsonTest, ItIsOneLineWithTheKeysThatArePromised) {
  const std::string text = json_of(two_streams());
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json.at("server"), "dmmap sound");
  EXPECT_EQ(json.at("levels").at("recording"), (nlohmann::json{{"left", 10}, {"right", 20}, {"muted", true}}));
  const auto& first = json.at("streams").at(0);
  EXPECT_EQ(first.at("program"), "mplayer");
  EXPECT_TRUE(first.at("recording").is_null());
  EXPECT_EQ(first.at("playback").at("format").at("encoding"), "S16_LE");
  EXPECT_EQ(first.at("playback").at("underruns"), 5);
  EXPECT_EQ(first.at("playback").at("fill_bytes"), 32768);
  EXPECT_EQ(json.at("streams").at(1).at("recording").at("overruns"), 5);
}

// A program chooses its comm freely.
TEST(StatusJsonTest, ANameThatIsNotUtf8IsStillJson) {
  CardStatus status = two_streams();
  status.streams[0].program = "a\xff\"\n\xc3";
  const auto read = status_of(json_of(status));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->streams[0].program, "a\xef\xbf\xbd\"\n\xef\xbf\xbd");
  EXPECT_EQ(valid_utf8(status.streams[0].program), read->streams[0].program);
  EXPECT_EQ(valid_utf8("gr\xc3\xbcn"), "gr\xc3\xbcn");
}

TEST(StatusJsonTest, OtherTextsAreRefused) {
  auto other = nlohmann::json::parse(json_of(two_streams()));
  other["server"] = "another";
  auto lacking = nlohmann::json::parse(json_of(two_streams()));
  lacking["streams"][0]["playback"].erase("frames");
  auto unknown = nlohmann::json::parse(json_of(two_streams()));
  unknown["streams"][0]["playback"]["format"]["encoding"] = "AC3";
  for (const std::string& text : {std::string(), std::string("{}"), std::string("[1]"), std::string("load 1 2 3"),
                                  other.dump(), lacking.dump(), unknown.dump()}) {
    const auto read = status_of(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, EPROTO);
  }
}

}  // namespace
}  // namespace dmmap::sound::testing
