#include "session/negotiate.h"

#include <gtest/gtest.h>

#include "protocol/flags.h"

namespace dmmap::session {
namespace {

namespace flag = protocol::init_flag;

InitRequest offer(std::uint32_t minor, std::uint64_t flags) {
  InitRequest request;
  request.major = 7;
  request.minor = minor;
  request.flags = flags;
  return request;
}

TEST(NegotiateTest, WhatTheKernelLacksIsNamed) {
  const auto agreement = negotiate(offer(31, flag::kAsyncRead), {});
  ASSERT_TRUE(agreement);
  const Capabilities& have = agreement->capabilities;
  EXPECT_TRUE(have.has(Feature::async_read));
  EXPECT_FALSE(have.has(Feature::passthrough));
  EXPECT_NE(have.why_not(Feature::passthrough).find("7.31"), std::string_view::npos);
  EXPECT_FALSE(have.has(Feature::notify_prune));
  EXPECT_EQ(agreement->reply.flags, flag::kAsyncRead);
  EXPECT_EQ(agreement->reply.minor, 31U);
}

TEST(NegotiateTest, EveryFeatureHasAStateAndEveryMissingOneAReason) {
  for (const std::uint64_t flags : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    const auto agreement = negotiate(offer(45, flags), {});
    ASSERT_TRUE(agreement);
    for (int i = 0; i <= static_cast<int>(Feature::copy_file_range_64); ++i) {
      const auto feature = static_cast<Feature>(i);
      EXPECT_FALSE(feature_name(feature).empty());
      EXPECT_NE(agreement->capabilities.has(feature), !agreement->capabilities.why_not(feature).empty())
          << feature_name(feature);
    }
  }
}

TEST(NegotiateTest, TheWritebackCacheExcludesPassthrough) {
  SessionOptions options;
  const auto without = negotiate(offer(45, ~0ULL), options);
  EXPECT_TRUE(without->reply.flags & flag::kPassthrough);
  EXPECT_EQ(without->reply.max_stack_depth, 1U);
  options.writeback_cache = true;
  const auto with = negotiate(offer(45, ~0ULL), options);
  EXPECT_FALSE(with->reply.flags & flag::kPassthrough);
  EXPECT_TRUE(with->reply.flags & flag::kWritebackCache);
  EXPECT_EQ(with->reply.max_stack_depth, 0U);
  EXPECT_NE(with->capabilities.why_not(Feature::passthrough).find("writeback_cache"), std::string_view::npos);
}

TEST(NegotiateTest, WritesMayBeLargerThanAPage) {
  EXPECT_EQ(negotiate(offer(31, flag::kBigWrites), {})->reply.flags, flag::kBigWrites);
}

TEST(NegotiateTest, OldKernelsAreRefused) {
  EXPECT_EQ(negotiate(offer(30, ~0ULL), {}).error().code, EPROTO);
  InitRequest ancient = offer(99, 0);
  ancient.major = 6;
  EXPECT_EQ(negotiate(ancient, {}).error().code, EPROTO);
}

}  // namespace
}  // namespace dmmap::session
