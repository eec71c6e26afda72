#include "servers/sound/device/ring_choice.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace dmmap::sound::testing {
namespace {

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

TEST(RingChoiceTest, SharedMemoryIsTheBest) {
  for (const RingWish wish : {RingWish::automatic, RingWish::shared}) {
    const auto choice = choose_rings(wish, with(true, true));
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->kind, RingKind::shared);
    EXPECT_EQ(describe(*choice), "rings are shared memory");
    EXPECT_EQ(choice->remedy, "");
  }
}

TEST(RingChoiceTest, PagedIsWhatWorksWithoutPrivilegeAndItSaysWhy) {
  const auto choice = choose_rings(RingWish::automatic, with(false, true));
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->kind, RingKind::paged);
  EXPECT_EQ(describe(*choice), "rings are paged: passthrough: too old for backings");
  expect_has(choice->remedy, "root");
}

TEST(RingChoiceTest, PagedCanBeAskedForWhereSharedWouldWork) {
  const auto choice = choose_rings(RingWish::paged, with(true, true));
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->kind, RingKind::paged);
  expect_has(describe(*choice), "--ring=paged");
}

TEST(RingChoiceTest, WithNeitherProgramsWriteAndBothReasonsAreSaid) {
  const auto choice = choose_rings(RingWish::automatic, with(false, false));
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->kind, RingKind::none);
  expect_has(describe(*choice), "too old for backings");
  expect_has(describe(*choice), "too old for mapping");
  expect_has(choice->remedy, "Linux 6.6");
}

TEST(RingChoiceTest, WhatIsAskedForByNameAndCanNotBeHadIsAnErrorThatSaysWhatToDo) {
  const auto shared = choose_rings(RingWish::shared, with(false, true));
  ASSERT_FALSE(shared);
  EXPECT_EQ(shared.error().code, ENOTSUP);
  expect_has(shared.error().message, "too old for backings");
  expect_has(shared.error().message, "Linux 6.9");
  const auto paged = choose_rings(RingWish::paged, with(true, false));
  ASSERT_FALSE(paged);
  expect_has(paged.error().message, "too old for mapping");
  expect_has(paged.error().message, "--ring=auto");
}

TEST(RingChoiceTest, WordsAreThoseOfTheHelp) {
  EXPECT_EQ(parse_ring_wish("auto").value(), RingWish::automatic);
  EXPECT_EQ(parse_ring_wish("shared").value(), RingWish::shared);
  EXPECT_EQ(parse_ring_wish("paged").value(), RingWish::paged);
  EXPECT_EQ(parse_ring_wish("none").error().code, EINVAL);
}

}  // namespace
}  // namespace dmmap::sound::testing
