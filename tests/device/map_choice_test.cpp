#include "servers/device/map_choice.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace dmmap::device::testing {
namespace {

constexpr MapWords kWords{"--ring", "rings", "programs can write, but not mmap"};

Capabilities with(bool passthrough, bool direct_io_allow_mmap) {
  Capabilities all;
  all.features.push_back({Feature::passthrough, passthrough, passthrough ? "" : "too old for backings"});
  all.features.push_back(
      {Feature::direct_io_allow_mmap, direct_io_allow_mmap, direct_io_allow_mmap ? "" : "too old for mapping"});
  return all;
}

void expect_has(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

TEST(MapChoice, SharedMemoryIsTheBest) {
  for (const MapWish wish : {MapWish::automatic, MapWish::shared}) {
    const auto choice = choose_map(kWords, wish, with(true, true));
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->kind, MapKind::shared);
    EXPECT_EQ(describe(kWords, *choice), "rings are shared memory");
    EXPECT_EQ(choice->remedy, "");
  }
}

TEST(MapChoice, PagedIsWhatWorksWithoutPrivilegeAndItSaysWhy) {
  const auto choice = choose_map(kWords, MapWish::automatic, with(false, true));
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->kind, MapKind::paged);
  EXPECT_EQ(describe(kWords, *choice), "rings are paged: passthrough: too old for backings");
  expect_has(choice->remedy, "root");
}

TEST(MapChoice, PagedCanBeAskedForWhereSharedWouldWork) {
  const auto choice = choose_map(kWords, MapWish::paged, with(true, true));
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->kind, MapKind::paged);
  expect_has(describe(kWords, *choice), "--ring=paged");
}

TEST(MapChoice, WithNeitherProgramsWriteAndBothReasonsAreSaid) {
  const auto choice = choose_map(kWords, MapWish::automatic, with(false, false));
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->kind, MapKind::none);
  expect_has(describe(kWords, *choice), "too old for backings");
  expect_has(describe(kWords, *choice), "too old for mapping");
  expect_has(choice->remedy, "Linux 6.6");
}

TEST(MapChoice, WhatIsAskedForByNameAndCanNotBeHadIsAnErrorThatSaysWhatToDo) {
  const auto shared = choose_map(kWords, MapWish::shared, with(false, true));
  ASSERT_FALSE(shared);
  EXPECT_EQ(shared.error().code, ENOTSUP);
  expect_has(shared.error().message, "too old for backings");
  expect_has(shared.error().message, "Linux 6.9");
  const auto paged = choose_map(kWords, MapWish::paged, with(true, false));
  ASSERT_FALSE(paged);
  expect_has(paged.error().message, "too old for mapping");
  expect_has(paged.error().message, "--ring=auto");
}

TEST(MapChoice, WordsAreThoseOfTheHelp) {
  EXPECT_EQ(parse_map_wish(kWords, "auto").value(), MapWish::automatic);
  EXPECT_EQ(parse_map_wish(kWords, "shared").value(), MapWish::shared);
  EXPECT_EQ(parse_map_wish(kWords, "paged").value(), MapWish::paged);
  EXPECT_EQ(parse_map_wish(kWords, "none").error().code, EINVAL);
}

}  // namespace
}  // namespace dmmap::device::testing
