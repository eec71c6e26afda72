// What isn't a store, or isn't whole, is said.
#include "servers/store/kv/database.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "servers/store/kv/numbers.h"
#include "servers/store/kv/transaction.h"
#include "servers/store/kv/view.h"
#include "servers/store/pages/file_pages.h"
#include "servers/store/pages/page_check.h"
#include "store/page_model.h"
#include "support/files.h"
#include "support/temporary_directory.h"

namespace dmmap::store::testing {
namespace {

namespace fs = std::filesystem;

class DatabaseTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string store() const { return folder_.path() / "store"; }

  void expect_failure(const DatabaseOptions& options, int code, const std::string& text) const {
    const auto database = Database::open(store(), options);
    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code, code) << database.error().message;
    EXPECT_NE(database.error().message.find(text), std::string::npos) << database.error().message;
  }
  void make() const { ASSERT_TRUE(Database::open(store(), {.create = true})); }

 private:
  dmmap::testing::TemporaryDirectory folder_;
};

TEST_F(DatabaseTest, AMissingStoreIsMadeOnlyWhenAsked) {
  expect_failure({}, ENOENT, "there's no store in");
  expect_failure({.create = true, .read_only = true}, ENOENT, "there's no store in");
  EXPECT_FALSE(fs::exists(store()));
  make();
  EXPECT_TRUE(Database::open(store(), {}));
  struct stat status {};
  ASSERT_EQ(::stat(store().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U) << "what all users' files hold is for none of them to read";
}

TEST_F(DatabaseTest, AnotherFolderIsLeftAlone) {
  fs::create_directories(store());
  std::ofstream(store() + "/letter") << "dear";
  expect_failure({.create = true}, ENOTEMPTY, "letter");
  EXPECT_FALSE(fs::exists(store() + "/rocksdb"));
}

TEST_F(DatabaseTest, AFileIsNoFolder) {
  std::ofstream(store()) << "dear";
  expect_failure({.create = true}, ENOTDIR, "making");
}

TEST_F(DatabaseTest, OneProcessHasIt) {
  const auto first = Database::open(store(), {.create = true});
  ASSERT_TRUE(first);
  expect_failure({}, EBUSY, "in use");
  EXPECT_TRUE(Database::open(store(), {.read_only = true})) << "to look at it is allowed";
}

TEST_F(DatabaseTest, ANewerFormatIsNotTouched) {
  make();
  std::ofstream(store() + "/format") << "2\n";
  expect_failure({}, ENOTSUP, "use a newer one");
  std::ofstream(store() + "/format") << "none\n";
  expect_failure({}, EIO, "damaged");
}

TEST_F(DatabaseTest, ReadOnlyNothingIsWritten) {
  make();
  const auto database = Database::open(store(), {.read_only = true});
  ASSERT_TRUE(database);
  Transaction transaction(**database);
  ASSERT_TRUE(transaction.next_numbers("thing", 1));
  EXPECT_FALSE(transaction.commit());
}

TEST_F(DatabaseTest, NumbersAreGivenOutOnce) {
  {
    const auto database = Database::open(store(), {.create = true});
    ASSERT_TRUE(database);
    Transaction transaction(**database);
    EXPECT_EQ(transaction.next_numbers("thing", 5), 1U);
    EXPECT_EQ(transaction.next_numbers("thing", 1), 6U);
    EXPECT_EQ(transaction.next_numbers("other", 1), 1U);
    ASSERT_TRUE(transaction.commit());
  }
  const auto database = Database::open(store(), {});
  ASSERT_TRUE(database);
  Transaction transaction(**database);
  EXPECT_EQ(transaction.next_numbers("thing", 1), 7U);
}

// One bit of one page's bytes: that page is named, and all others are as they were.
TEST_F(DatabaseTest, AFlippedBitCostsItsPage) {
  constexpr std::uint64_t kPages = 64;
  constexpr std::uint64_t kDamaged = 40;
  const FilePages file(FileId{1});
  const auto text_of = [](std::uint64_t page) { return "the page of number " + std::to_string(page) + ". "; };
  std::vector<std::byte> bytes;
  for (std::uint64_t page = 0; page < kPages; ++page) {
    for (std::size_t at = 0; at < kStorePage; ++at) {
      bytes.push_back(static_cast<std::byte>(text_of(page)[at % text_of(page).size()]));
    }
  }
  {
    const auto database = Database::open(store(), {.create = true});
    ASSERT_TRUE(database);
    Transaction transaction(**database);
    ASSERT_TRUE(file.write(transaction, 0, bytes));
    ASSERT_TRUE(transaction.commit());
    ASSERT_TRUE((*database)->flush());
  }
  bool flipped = false;
  for (const auto& entry : fs::directory_iterator(store() + "/rocksdb")) {
    if (entry.path().extension() == ".blob") {
      const std::size_t found = dmmap::testing::bytes_of(entry.path()).find(text_of(kDamaged));
      ASSERT_NE(found, std::string::npos);
      flipped = dmmap::testing::flip_bit(entry.path(), found);
    }
  }
  ASSERT_TRUE(flipped);
  const auto database = Database::open(store(), {});
  ASSERT_TRUE(database);
  const View view(**database);
  for (std::uint64_t page = 0; page < kPages; ++page) {
    std::vector<std::byte> seen(kStorePage);
    const auto read = file.read(view, page, seen);
    ASSERT_EQ(read.has_value(), page != kDamaged) << page;
    if (read) {
      EXPECT_TRUE(std::equal(seen.begin(), seen.end(), bytes.begin() + static_cast<std::ptrdiff_t>(page * kStorePage)));
    } else {
      EXPECT_EQ(read.error().code, EIO);
    }
  }
  std::vector<std::string> complaints;
  const auto counts = check_pages(view, [&](const std::string& text) { complaints.push_back(text); });
  ASSERT_TRUE(counts) << counts.error().message;
  EXPECT_EQ(counts->damaged, 1U);
  ASSERT_EQ(complaints.size(), 1U);
  EXPECT_TRUE(complaints[0].starts_with("page 41 can't be read")) << complaints[0];
}

// The check finds what is wrong with the tables themselves.
TEST_F(DatabaseTest, WrongCountsAreFound) {
  const auto database = Database::open(store(), {.create = true});
  ASSERT_TRUE(database);
  const std::vector<std::byte> bytes(4 * kStorePage, std::byte{1});
  const FilePages file(FileId{1});
  const FilePages copy(FileId{2});
  {
    Transaction transaction(**database);
    ASSERT_TRUE(file.write(transaction, 0, bytes));
    ASSERT_TRUE(copy.share(transaction, file, {0, 2}, 0));
    ASSERT_TRUE(transaction.commit());
  }
  ASSERT_EQ(damage(View(**database)), "");
  struct Wrong {
    Table table;
    std::string key;
    std::string value;  // none: the entry is removed
    std::string complaint;
  };
  const std::vector<Wrong> wrongs{
      {Table::shares, encode({1}), encode({2, 3}), "pages 1 to 2 don't have what is counted: 3 places"},
      {Table::shares, encode({1}), "", "pages 1 to 2 aren't counted to be shown by 2 places"},
      {Table::pages, encode({4}), "", "page 4 is missing"},
      {Table::pages, encode({9}), "x", "page 9 is shown by nothing, and isn't freed"},
      {Table::freed, encode({3}), encode({1}), "pages 3 to 3 are freed, and some are shown"},
      {Table::lists, encode({3, 0}), "x", "an entry of the lists is none"},
      {Table::lists, encode({1, 1}), encode({1, 1}), "file 1 shows two things at page 1"},
  };
  for (const Wrong& wrong : wrongs) {
    Transaction transaction(**database);
    if (wrong.value.empty()) {
      transaction.remove(wrong.table, wrong.key);
    } else {
      transaction.put(wrong.table, wrong.key, wrong.value);
    }
    EXPECT_NE(damage(transaction).find(wrong.complaint), std::string::npos) << damage(transaction);
  }
}

}  // namespace
}  // namespace dmmap::store::testing
