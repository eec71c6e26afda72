// Damage to RocksDB's log in what was synced is told from what a power cut leaves.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "servers/store/kv/log_check.h"
#include "store/damaged_store.h"
#include "support/mounts.h"

namespace dmmap::store::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBlock = 32768;  // the log's

class LogDamage : public ::testing::Test {
 protected:
  // Of some blocks: commits and syncs, and then commits that aren't synced. Ends without anything more.
  void make() {
    Commits commits(store());
    for (const std::size_t bytes : {10U, 300U, 20000U, 50U, 30000U, 70000U, 9U, 400U}) {
      commits.commit(bytes);
      ends_.push_back(commits.log_bytes());
      commits.sync();
    }
    synced_ = commits.synced();
    for (const std::size_t bytes : {30U, 5000U, 40000U, 200U}) {
      commits.commit(bytes);
      ends_.push_back(commits.log_bytes());
    }
    log_ = fs::relative(commits.log(), store());
  }
  [[nodiscard]] fs::path store() const { return copies_.original(); }
  [[nodiscard]] std::uint64_t end_of_synced() const { return ends_.at(synced_ - 1); }

  // That it opens by itself, with all that was synced, and what else there is without a gap.
  void expect_opens(const fs::path& copy, bool read_only = false) const {
    const auto database = Database::open(copy, {.read_only = read_only});
    ASSERT_TRUE(database) << database.error().message;
    const auto there = commits_in(**database);
    ASSERT_TRUE(there);
    EXPECT_GE(*there, synced_);
  }

  Copies copies_;
  fs::path log_;
  std::vector<std::uint64_t> ends_;  // of each commit in the log
  std::uint64_t synced_ = 0;
};

TEST_F(LogDamage, AFlippedBitInWhatWasSyncedIsSaidAndNothingIsChanged) {
  make();
  const fs::path copy = copies_.fresh();
  const std::uint64_t byte = ends_[3] + 1000;
  flip_bit(copy / log_, byte);
  const std::string before = bytes_of(copy / log_);
  for (const bool read_only : {true, false}) {
    const auto database = Database::open(copy, {.read_only = read_only});
    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code, EUCLEAN);
    EXPECT_NE(
        database.error().message.find(fmt::format("{} is damaged at byte {} of ", (copy / log_).string(), ends_[3])),
        std::string::npos)
        << database.error().message;
    EXPECT_NE(database.error().message.find("backup"), std::string::npos) << database.error().message;
    EXPECT_EQ(bytes_of(copy / log_), before);
  }
}

TEST_F(LogDamage, EveryBitOfWhatWasSyncedCounts) {
  make();
  const fs::path copy = copies_.fresh();
  const std::string good = bytes_of(copy / log_);
  unsigned seed = 1;
  const auto found = [&](std::uint64_t byte) {
    flip_bit(copy / log_, byte, ++seed % 8);
    const auto trouble = check_logs(copy, copy / "rocksdb");
    write_bytes(copy / log_, good);
    EXPECT_TRUE(trouble) << trouble.error().message;
    return trouble && !trouble->losses.empty();
  };
  std::vector<std::uint64_t> bytes;
  for (const std::uint64_t end : ends_) {
    for (std::uint64_t near = 0; near < 7 && end < end_of_synced(); ++near) {
      bytes.push_back(end + near);  // headers
    }
  }
  for (std::uint64_t byte = 0; byte < end_of_synced(); byte += 2503) {
    bytes.push_back(byte);
  }
  for (std::uint64_t block = kBlock; block < end_of_synced(); block += kBlock) {
    bytes.insert(bytes.end(), {block, block + 4, block + 5, block + 6});
  }
  for (const std::uint64_t byte : bytes) {
    EXPECT_TRUE(found(byte)) << byte;
  }
  for (std::uint64_t byte = end_of_synced(); byte < good.size(); byte += 9001) {
    EXPECT_FALSE(found(byte)) << byte << ": that was promised to nobody";
  }
  // What a power cut leaves of the file that it's noted in: nothing. The log's own notes tell of all syncs but the
  // last, as long as one of them can be read.
  fs::remove(copy / "synced");
  for (const std::uint64_t byte : bytes) {
    EXPECT_TRUE(found(byte)) << byte;
  }
}

// Pages of the log that aren't there: zeros in their place, or a shorter file. In whatever order a disk has written
// them.
TEST_F(LogDamage, WhatAPowerCutLeavesOpensByItself) {
  make();
  const std::string good = bytes_of(store() / log_);
  const std::uint64_t synced = end_of_synced();
  std::vector<std::string> torn;
  for (const std::uint64_t size :
       {synced, synced + 3, synced + 8, ends_[synced_], ends_[synced_ + 1] + 2000, std::uint64_t{good.size() - 1}}) {
    torn.push_back(good.substr(0, size));
    torn.push_back(good.substr(0, size) + std::string(5000, '\0'));
    torn.push_back(good.substr(0, size) + std::string(100000, '\0'));
    torn.push_back(good.substr(0, size) + std::string(7000, 'x'));
  }
  constexpr std::uint64_t kPage = 4096;
  for (std::uint64_t page = synced / kPage; page * kPage < good.size(); ++page) {
    std::string missing = good;
    const std::uint64_t from = std::max(page * kPage, synced);
    missing.replace(from, std::min(kPage, good.size() - from), std::min(kPage, good.size() - from), '\0');
    torn.push_back(missing);
  }
  for (const bool noted : {true, false}) {
    for (std::size_t each = 0; each < torn.size(); ++each) {
      SCOPED_TRACE(each);
      const fs::path copy = copies_.fresh();
      write_bytes(copy / log_, torn[each]);
      if (!noted) {
        fs::resize_file(copy / "synced", 0);
      }
      expect_opens(copy, /*read_only=*/true);
      if (each % 8 == 0) {  // which takes the disk a while
        expect_opens(copy);
        expect_opens(copy);
      }
    }
  }
}

// Records that end where blocks do: RocksDB alone would go on behind the zeros.
TEST_F(LogDamage, NothingIsBroughtFromBehindAGap) {
  constexpr std::size_t kSmall = 300;
  std::uint64_t gap = 0;
  {
    Commits commits(store());
    commits.commit(kSmall);
    const std::uint64_t more = commits.log_bytes() - kSmall;  // than its value
    const auto commit_to = [&](std::uint64_t end) {
      commits.commit(end - commits.log_bytes() - more);
      EXPECT_EQ(commits.log_bytes(), end);
    };
    commits.commit(kSmall);
    commits.sync();
    synced_ = commits.synced();
    gap = commits.log_bytes();
    commits.commit(kSmall);  // has the note
    for (std::uint64_t end = kBlock / 2; end <= 2 * kBlock; end += kBlock / 2) {
      commit_to(end);
    }
    log_ = fs::relative(commits.log(), store());
  }
  const fs::path copy = copies_.fresh();
  std::string bytes = bytes_of(copy / log_);
  bytes.replace(gap, kBlock - gap, kBlock - gap, '\0');
  write_bytes(copy / log_, bytes);
  expect_opens(copy);
  EXPECT_EQ(commits_in(**Database::open(copy, {.read_only = true})), synced_);
}

TEST_F(LogDamage, ALossIsAcceptedOnlyWhenAskedAndTheLogIsKept) {
  make();
  const fs::path copy = copies_.fresh();
  flip_bit(copy / log_, ends_[4] + 20);
  const std::string damaged = bytes_of(copy / log_);
  {
    const auto looked_at = Database::open(copy, {.accept_loss = true, .read_only = true});
    ASSERT_TRUE(looked_at) << looked_at.error().message;
    EXPECT_EQ((*looked_at)->remarks().size(), 1U);
    EXPECT_EQ(commits_in(**looked_at), 5U);
    EXPECT_EQ(bytes_of(copy / log_), damaged);
  }
  {
    const auto opened = Database::open(copy, {.accept_loss = true});
    ASSERT_TRUE(opened) << opened.error().message;
    ASSERT_EQ((*opened)->remarks().size(), 2U);
    EXPECT_NE((*opened)->remarks()[1].find("dropped"), std::string::npos);
    EXPECT_EQ(commits_in(**opened), 5U);
  }
  const auto kept = files_in(copy, log_.filename());
  ASSERT_EQ(kept.size(), 1U) << "the copy, and not RocksDB's own any more";
  EXPECT_EQ(bytes_of(kept[0]), damaged);
  const auto again = Database::open(copy, {});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE((*again)->remarks().empty());
}

// Of several logs, all of which are needed. Without the note in the store's folder, as a power cut may leave it, a gap
// between two logs is seen where a later one has a note.
TEST_F(LogDamage, ALogAmongOthersIsMissed) {
  constexpr std::size_t kLogs = 3;
  {
    Commits commits(store());
    for (std::size_t log = 0; log < kLogs; ++log) {
      for (int each = 0; each < 5; ++each) {
        commits.commit(300);
        commits.sync();
      }
      if (log + 1 < kLogs) {
        commits.begin_log();
      }
    }
    commits.commit(300);
  }
  ASSERT_EQ(files_in(store(), ".log").size(), kLogs);
  ASSERT_TRUE(Database::open(copies_.fresh(), {.read_only = true}));
  const auto whole = bytes_of(files_in(store(), ".log")[0]);
  struct Case {
    std::size_t log;
    bool missing;  // or cut off in the middle of a record, or at its end
    std::uint64_t bytes;
    bool noted;
    int code;
  };
  const std::uint64_t two_thirds = whole.size() * 2 / 3;
  const std::vector<Case> cases{
      {0, true, 0, true, EIO},
      {1, true, 0, true, EIO},
      {2, true, 0, true, EUCLEAN},
      {1, true, 0, false, EIO},
      {0, false, two_thirds, true, EUCLEAN},
      {1, false, two_thirds, true, EUCLEAN},
      {2, false, two_thirds, true, EUCLEAN},
      {0, false, two_thirds, false, EUCLEAN},
      {1, false, two_thirds, false, EUCLEAN},
      {0, false, 0, true, EIO},
      {1, false, 0, false, EIO},
  };
  for (std::size_t each = 0; each < cases.size(); ++each) {
    SCOPED_TRACE(each);
    const Case& tried = cases[each];
    const fs::path copy = copies_.fresh();
    const fs::path log = files_in(copy, ".log")[tried.log];
    tried.missing ? static_cast<void>(fs::remove(log)) : fs::resize_file(log, tried.bytes);
    if (!tried.noted) {
      fs::remove(copy / "synced");
    }
    const auto database = Database::open(copy, {.read_only = true});
    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code, tried.code) << database.error().message;
    EXPECT_NE(database.error().message.find(".log is "), std::string::npos) << database.error().message;
  }
  // What came later is in a table already: there's no moment at which the store was as it would be.
  const fs::path copy = copies_.fresh();
  flip_bit(files_in(copy, ".log")[0], whole.size() / 2);
  const auto accepted = Database::open(copy, {.accept_loss = true});
  ASSERT_FALSE(accepted);
  EXPECT_NE(accepted.error().message.find("is damaged at byte"), std::string::npos) << accepted.error().message;
  EXPECT_NE(accepted.error().message.find("restore the store from a backup"), std::string::npos);
}

// RocksDB removes logs as soon as all that they have is in tables, and the note may be from before that.
TEST_F(LogDamage, LogsThatNobodyNeedsAreNotMissed) {
  std::string note;
  {
    Commits commits(store());
    for (int log = 0; log < 3; ++log) {
      commits.commit(300);
      commits.sync();
      commits.begin_log();
    }
    commits.commit(300);
    commits.sync();
    // The note is written a moment later.
    const auto noted = [&] { return bytes_of(store() / "synced") != note; };
    note = bytes_of(store() / "synced");
    EXPECT_TRUE(dmmap::testing::wait_until(noted, std::chrono::seconds{5}));
    note = bytes_of(store() / "synced");
    commits.flush();
  }
  write_bytes(store() / "synced", note);
  EXPECT_LT(files_in(store(), ".log").size(), 3U);
  const auto trouble = check_logs(store(), store() / "rocksdb");
  ASSERT_TRUE(trouble);
  EXPECT_THAT(trouble->losses, ::testing::IsEmpty());
  const auto database = Database::open(store(), {});
  ASSERT_TRUE(database) << database.error().message;
  EXPECT_EQ(commits_in(**database), 4U);
}

// The note is older than what is there: a power cut right after the store was opened.
TEST_F(LogDamage, AnOldNoteTellsNothingWrong) {
  make();
  const std::string note = bytes_of(store() / "synced");
  flip_bit(store() / log_, ends_[2] + 20);
  ASSERT_TRUE(Database::open(store(), {.accept_loss = true}));
  write_bytes(store() / "synced", note);
  EXPECT_TRUE(Database::open(store(), {.read_only = true}));
  {
    Commits commits(store());
    EXPECT_EQ(commits.count(), 3U);
    commits.commit(100);
  }
  write_bytes(store() / "synced", note);
  EXPECT_TRUE(Database::open(store(), {}));
}

}  // namespace
}  // namespace dmmap::store::testing
