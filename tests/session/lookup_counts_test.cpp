#include "session/lookup_counts.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace dmmap::session {
namespace {

TEST(LookupCountsTest, TheLastOneForgets) {
  LookupCounts counts;
  counts.add({1}, 0);
  counts.add({1}, 0);
  counts.add({2}, 0);
  EXPECT_EQ(counts.total(), 3U);
  EXPECT_FALSE(counts.remove({1}, 1));
  EXPECT_TRUE(counts.remove({1}, 1));
  EXPECT_FALSE(counts.remove({1}, 1)) << "not twice";
  EXPECT_EQ(counts.total(), 1U);
}

TEST(LookupCountsTest, MoreThanWereGivenAreAll) {
  LookupCounts counts;
  counts.add({1}, 0);
  EXPECT_TRUE(counts.remove({1}, 100));
  EXPECT_FALSE(counts.remove({3}, 1));
  EXPECT_EQ(counts.total(), 0U);
}

TEST(LookupCountsTest, WhatIsLeftIsTakenOnce) {
  LookupCounts counts;
  counts.add({1}, 0);
  counts.add({2}, 0);
  counts.add({2}, 0);
  EXPECT_EQ(counts.take_all().size(), 2U);
  EXPECT_TRUE(counts.take_all().empty());
}

TEST(LookupCountsTest, ManyThreadsCountExactly) {
  LookupCounts counts;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10000; ++i) {
        counts.add({1}, 0);
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(counts.total(), 40000U);
  EXPECT_FALSE(counts.remove({1}, 39999));
  EXPECT_TRUE(counts.remove({1}, 1));
}

}  // namespace
}  // namespace dmmap::session
