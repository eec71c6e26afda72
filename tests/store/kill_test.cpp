// A store whose program is killed at any moment has what was committed, all of it and nothing by halves.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <random>
#include <string>
#include <thread>

#include "servers/store/kv/numbers.h"
#include "servers/store/kv/view.h"
#include "store/churn.h"
#include "store/tree_fixture.h"
#include "support/process.h"
#include "support/temporary_directory.h"
#include "support/wish.h"

namespace dmmap::store::testing {
namespace {

using dmmap::testing::Process;

// DMMAP_KILLS=500 for the long run.
int kills() {
  return dmmap::testing::wished("DMMAP_KILLS", 40);
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

// Starts store_churn again and again, kills it, and calls `compare` with the store and how much was done.
class KillTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kSeed = 20;

  void run(const std::string& what, const std::function<void(Database& database, std::uint64_t done)>& compare) {
    const std::string store = folder_.path() / "store";
    std::mt19937 random(std::random_device{}());
    std::uint64_t done = 0;
    for (int round = 0; round < kills(); ++round) {
      SCOPED_TRACE("after kill " + std::to_string(round));
      Process churn({DMMAP_STORE_CHURN, store, what, std::to_string(kSeed)});
      // Also while it makes the store, or reads its log, which may take all of the time.
      if (round % 2 == 1) {
        ASSERT_TRUE(churn.wait_for_output("\n", std::chrono::seconds(20))) << churn.err();
      }
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 150'000));
      churn.kill(SIGKILL);
      ASSERT_EQ(churn.wait(std::chrono::seconds(10)).status, 128 + SIGKILL) << churn.err();

      const auto database = Database::open(store, {.create = true});
      ASSERT_TRUE(database) << database.error().message;
      const auto next = View(**database).get(Table::numbers, kDone);
      ASSERT_TRUE(next) << next.error().message;
      const std::uint64_t committed = *next ? (*decode<1>(**next))[0] - 1 : 0;
      ASSERT_GE(committed, last_of(churn.out())) << "what was committed is lost";
      ASSERT_GE(committed, done);
      done = committed;
      compare(**database, done);
      if (HasFailure()) {
        return;
      }
    }
    EXPECT_GT(done, static_cast<std::uint64_t>(kills()));
    RecordProperty("operations", std::to_string(done));
  }

  [[nodiscard]] std::string folder(const char* name) const { return folder_.path() / name; }

 private:
  dmmap::testing::TemporaryDirectory folder_;
};

TEST_F(KillTest, PagesAreThere) {
  PageModel model;
  std::uint64_t applied = 0;
  run("pages", [&](Database& database, std::uint64_t done) {
    while (applied < done) {
      model.apply(operation_of(kSeed, ++applied));
    }
    const View view(database);
    EXPECT_EQ(model.difference(view), "");
    EXPECT_EQ(damage(view), "");
  });
}

// A store that nobody killed has had the same done to it.
TEST_F(KillTest, TheTreeIsAsIfNothingHadHappened) {
  const auto other = Database::open(folder("other"), {.create = true});
  ASSERT_TRUE(other);
  std::uint64_t applied = 0;
  run("tree", [&](Database& database, std::uint64_t done) {
    EXPECT_EQ(tree_damage(View(database)), "");
    EXPECT_EQ(damage(View(database)), "");
    while (applied < done) {
      Transaction transaction(**other);
      ASSERT_EQ(transaction.next_numbers(kDone, 1), ++applied);
      const auto churned = churn_tree(transaction, kSeed, applied);
      ASSERT_TRUE(churned) << churned.error().message;
      ASSERT_TRUE(transaction.commit());
      // When it's done makes no difference to what comes of it.
      if (applied % 3 == 0) {
        ASSERT_TRUE(settle(**other));
      }
    }
    ASSERT_TRUE(settle(**other));
    ASSERT_TRUE(settle(database));
    const View view(database);
    const View expected(**other);
    for (std::size_t table = 0; table < kTableNames.size(); ++table) {
      Cursor seen = view.scan(static_cast<Table>(table), KeyRange::all());
      Cursor wanted = expected.scan(static_cast<Table>(table), KeyRange::all());
      seen.seek("");
      for (wanted.seek(""); wanted.valid(); wanted.next(), seen.next()) {
        ASSERT_TRUE(seen.valid() && seen.key() == wanted.key() && seen.value() == wanted.value()) << kTableNames[table];
      }
      ASSERT_FALSE(seen.valid()) << kTableNames[table];
    }
  });
}

}  // namespace
}  // namespace dmmap::store::testing
