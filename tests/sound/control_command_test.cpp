#include "servers/sound/control/control_command.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "sound/control_card.h"

namespace dmmap::sound::testing {
namespace {

using Kind = ControlCommand::Kind;

TEST(ControlCommandTest, EachCommandIsUnderstoodAndSaidAgain) {
  const std::vector<std::pair<std::string, ControlCommand>> all{
      {"volume master 50 50", {Kind::volume, Control::master, 50, 50}},
      {"volume pcm 0 100", {Kind::volume, Control::pcm, 0, 100}},
      {"volume 3 80 60", {Kind::volume, StreamNumber{3}, 80, 60}},
      {"mute recording", {Kind::mute, Control::recording, 0, 0}},
      {"unmute 18446744073709551615", {Kind::unmute, StreamNumber{~std::uint64_t{0}}, 0, 0}},
  };
  for (const auto& [line, command] : all) {
    const auto parsed = parse_command(line);
    ASSERT_TRUE(parsed) << line << ": " << parsed.error().message;
    EXPECT_EQ(*parsed, command) << line;
    EXPECT_EQ(line_of(command), line);
  }
}

TEST(ControlCommandTest, OneLevelIsBothSides) {
  const auto parsed = parse_command(" volume\t3  25 ");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, (ControlCommand{Kind::volume, StreamNumber{3}, 25, 25}));
}

TEST(ControlCommandTest, NonsenseIsRefused) {
  for (const char* line : {"",
                           " ",
                           "volume",
                           "volume master",
                           "volume master 101",
                           "volume master -1",
                           "volume master +1",
                           "volume master 50 101",
                           "volume master 5x",
                           "volume master 1 2 3",
                           "volume 3.5 10",
                           "volume -3 10",
                           "volume 18446744073709551616 10",
                           "volume Master 10",
                           "mute",
                           "mute 3 4",
                           "mute all",
                           "unmute",
                           "Mute 3",
                           "louder 3",
                           "volume master 4294967346",
                           "mute 3\r"}) {
    const auto parsed = parse_command(line);
    ASSERT_FALSE(parsed) << line;
    EXPECT_EQ(parsed.error().code, EINVAL) << line;
    EXPECT_NE(parsed.error().message, "") << line;
  }
  EXPECT_FALSE(parse_command(std::string_view("mute 3\0", 7)));
}

TEST(ControlCommandTest, ATextIsACommandALine) {
  const auto parsed = parse_commands("mute 3\n\n volume pcm 1 2\nunmute 3");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, (std::vector<ControlCommand>{{Kind::mute, StreamNumber{3}, 0, 0},
                                                  {Kind::volume, Control::pcm, 1, 2},
                                                  {Kind::unmute, StreamNumber{3}, 0, 0}}));
  EXPECT_TRUE(parse_commands("")->empty());
  EXPECT_TRUE(parse_commands("\n\n")->empty());
  EXPECT_FALSE(parse_commands("mute 3\nnonsense\n"));
}

TEST(ControlCommandTest, WhatIsCarriedOutIsWhatWasSaid) {
  ControlCard card(two_streams());
  for (const char* line : {"volume 3 80 60", "mute 3", "volume pcm 5", "unmute recording"}) {
    ASSERT_TRUE(carry_out(*parse_command(line), card)) << line;
  }
  CardStatus expected = two_streams();
  expected.streams[0].playback->level = {80, 60, true};
  expected.pcm = {5, 5, false};
  expected.recording.muted = false;
  EXPECT_EQ(card.status(), expected);
  EXPECT_EQ(carry_out(*parse_command("mute 4"), card).error().code, ESRCH);
}

}  // namespace
}  // namespace dmmap::sound::testing
