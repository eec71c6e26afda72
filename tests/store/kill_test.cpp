// A store whose program is killed at any moment has what was committed, all of it and nothing by halves.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>

#include "servers/store/kv/numbers.h"
#include "servers/store/kv/view.h"
#include "store/churn.h"
#include "support/process.h"
#include "support/temporary_directory.h"

namespace dmmap::store::testing {
namespace {

using dmmap::testing::Process;

// DMMAP_KILLS=500 for the long run.
int kills() {
  const char* const wanted = std::getenv("DMMAP_KILLS");
  return wanted != nullptr ? std::atoi(wanted) : 40;
}

// The last number that was said wholly.
std::uint64_t last_of(const std::string& out) {
  const std::size_t end = out.rfind('\n');
  if (end == std::string::npos) {
    return 0;
  }
  const std::size_t before = end == 0 ? std::string::npos : out.rfind('\n', end - 1);
  const std::size_t begin = before == std::string::npos ? 0 : before + 1;
  return std::stoull(out.substr(begin, end - begin));
}

TEST(KillTest, WhatWasCommittedIsThere) {
  const dmmap::testing::TemporaryDirectory folder;
  const std::string store = folder.path() / "store";
  constexpr std::uint64_t kSeed = 20;
  std::mt19937 random(std::random_device{}());
  PageModel model;
  std::uint64_t done = 0;
  for (int round = 0; round < kills(); ++round) {
    Process churn({DMMAP_STORE_CHURN, store, std::to_string(kSeed)});
    // Also while it makes the store, or reads its log.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 150'000));
    churn.kill(SIGKILL);
    ASSERT_EQ(churn.wait(std::chrono::seconds(10)).status, 128 + SIGKILL) << churn.err();
    const std::uint64_t said = last_of(churn.out());

    const auto database = Database::open(store, {.create = true});
    ASSERT_TRUE(database) << database.error().message;
    const View view(**database);
    const auto next = view.get(Table::numbers, kDone);
    ASSERT_TRUE(next) << next.error().message;
    const std::uint64_t committed = *next ? (*decode<1>(**next))[0] - 1 : 0;
    ASSERT_GE(committed, said) << "what was committed is lost";
    ASSERT_GE(committed, done);
    while (done < committed) {
      model.apply(operation_of(kSeed, ++done));
    }
    ASSERT_EQ(model.difference(view), "") << "after kill " << round << ", of " << committed << " operations";
    ASSERT_EQ(damage(view), "") << "after kill " << round << ", of " << committed << " operations";
  }
  EXPECT_GT(done, static_cast<std::uint64_t>(kills()));
  RecordProperty("operations", std::to_string(done));
}

}  // namespace
}  // namespace dmmap::store::testing
