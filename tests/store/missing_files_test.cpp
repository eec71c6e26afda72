// A store some of whose files are cut off, missing or damaged: it's said which, and what can be read is read.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "servers/store/kv/table_check.h"
#include "servers/store/kv/transaction.h"
#include "servers/store/kv/view.h"
#include "servers/store/pages/file_pages.h"
#include "servers/store/pages/page_check.h"
#include "store/damaged_store.h"
#include "store/page_model.h"

namespace dmmap::store::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr std::uint64_t kPages = 8;  // each file's

class MissingFiles : public ::testing::Test {
 protected:
  // Tables, files of pages, two of them, and a log with something that was synced.
  void SetUp() override {
    const auto database = Database::open(copies_.original(), {.create = true});
    ASSERT_TRUE(database);
    for (std::uint64_t file = 1; file <= 3; ++file) {
      Transaction transaction(**database);
      ASSERT_TRUE(
          FilePages(FileId{file}).write(transaction, 0, std::vector<std::byte>(kPages * kStorePage, std::byte{7})));
      ASSERT_TRUE(transaction.commit());
      ASSERT_TRUE(file == 3 ? (*database)->sync() : (*database)->flush());
    }
    ASSERT_TRUE((*database)->sync());
  }

  // All that is in a folder, but for what RocksDB logs.
  static std::map<std::string, std::string> contents(const fs::path& folder) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file() && !entry.path().filename().string().starts_with("LOG")) {
        files[entry.path().string()] = bytes_of(entry.path());
      }
    }
    return files;
  }

  // Which pages of all files can't be read.
  static std::string unreadable(const Database& database) {
    const View view(database);
    std::string pages;
    for (std::uint64_t file = 1; file <= 3; ++file) {
      for (std::uint64_t page = 0; page < kPages; ++page) {
        std::vector<std::byte> seen(kStorePage);
        const auto read = FilePages(FileId{file}).read(view, page, seen);
        if (!read || seen != std::vector<std::byte>(kStorePage, std::byte{7})) {
          pages += " " + std::to_string(file) + "/" + std::to_string(page);
        }
      }
    }
    return pages;
  }

  Copies copies_;
};

// What is done to a file.
enum class Harm { missing, empty, half, one_less, first_bit, middle_bit, last_bit };

const char* name_of(Harm harm) {
  constexpr std::array<const char*, 7> kNames{"missing",   "empty",      "half",    "one less",
                                              "first bit", "middle bit", "last bit"};
  return kNames.at(static_cast<std::size_t>(harm));
}

void harm(const fs::path& file, Harm how) {
  const std::uint64_t size = fs::file_size(file);
  switch (how) {
    case Harm::missing:
      fs::remove(file);
      break;
    case Harm::empty:
      fs::resize_file(file, 0);
      break;
    case Harm::half:
      fs::resize_file(file, size / 2);
      break;
    case Harm::one_less:
      fs::resize_file(file, size - 1);
      break;
    case Harm::first_bit:
      flip_bit(file, 0);
      break;
    case Harm::middle_bit:
      flip_bit(file, size / 2);
      break;
    case Harm::last_bit:
      flip_bit(file, size - 2);
      break;
  }
}

struct Case {
  const char* file;  // the first one that is called so
  std::vector<Harm> harms;
  std::vector<std::string> words;  // of what is said, besides the file's name
  int code = EIO;                  // of opening it; 0: it opens
};

const std::vector<Harm> kAll{Harm::missing,   Harm::empty,      Harm::half,    Harm::one_less,
                             Harm::first_bit, Harm::middle_bit, Harm::last_bit};
const std::vector<Harm> kShorter{Harm::empty, Harm::half, Harm::one_less};

TEST_F(MissingFiles, IsSaidAtOpening) {
  const std::vector<Case> cases{
      {".sst", {Harm::missing}, {"is missing", "restore the store from a backup"}},
      {".sst", kShorter, {"is cut off or damaged", "restore the store from a backup"}},
      {".sst", {Harm::middle_bit, Harm::last_bit}, {"restore the store from a backup"}},
      {"MANIFEST-", {Harm::missing}, {"is missing", "restore the store from a backup"}},
      {"MANIFEST-", kShorter, {"is cut off", "restore the store from a backup"}},
      {"MANIFEST-",
       {Harm::first_bit, Harm::middle_bit, Harm::last_bit},
       {"checksum mismatch", "restore the store from a backup"}},
      {"CURRENT", kAll, {"write the line MANIFEST-000005 to it", "restore the store from a backup"}},
      {".log", {Harm::missing}, {"is missing, with ", "restore the store from a backup"}, EUCLEAN},
      {".log", kShorter, {"is cut off", "restore the store from a backup"}, EUCLEAN},
      {".log",
       {Harm::first_bit, Harm::middle_bit, Harm::last_bit},
       {"is damaged at byte ", "restore the store from a backup"},
       EUCLEAN},
  };
  for (const Case& each : cases) {
    for (const Harm how : each.harms) {
      SCOPED_TRACE(fmt::format("{} {}", each.file, name_of(how)));
      const fs::path copy = copies_.fresh();
      const fs::path file = files_in(copy, each.file).front();
      harm(file, how);
      const auto all = contents(copy);
      for (const bool read_only : {true, false}) {
        const auto database = Database::open(copy, {.read_only = read_only});
        ASSERT_FALSE(database);
        EXPECT_EQ(database.error().code, each.code);
        EXPECT_THAT(database.error().message, HasSubstr(file.string()));
        for (const std::string& word : each.words) {
          EXPECT_THAT(database.error().message, HasSubstr(word));
        }
      }
      EXPECT_TRUE(contents(copy) == all) << "something was changed";
    }
  }
}

TEST_F(MissingFiles, WithoutTheLogThereIsWhatWasBefore) {
  for (const Harm how : kAll) {
    SCOPED_TRACE(name_of(how));
    const fs::path copy = copies_.fresh();
    harm(files_in(copy, ".log").front(), how);
    const auto database = Database::open(copy, {.accept_loss = true});
    ASSERT_TRUE(database) << database.error().message;
    EXPECT_FALSE((*database)->remarks().empty());
    EXPECT_EQ(damage(View(**database)), "");
    EXPECT_EQ(unreadable(**database), " 3/0 3/1 3/2 3/3 3/4 3/5 3/6 3/7") << "that was in the log";
  }
}

TEST_F(MissingFiles, AFileOfPagesCostsThosePages) {
  for (const Harm how : kAll) {
    SCOPED_TRACE(name_of(how));
    const fs::path copy = copies_.fresh();
    const fs::path file = files_in(copy, ".blob").front();
    harm(file, how);
    for (const bool read_only : {true, false}) {
      const auto database = Database::open(copy, {.read_only = read_only});
      ASSERT_TRUE(database) << database.error().message;
      std::vector<std::string> complaints;
      const auto complain = [&complaints](const std::string& text) { complaints.push_back(text); };
      const auto counts = check_pages(View(**database), complain);
      ASSERT_TRUE(counts);
      const std::uint64_t lost = how == Harm::middle_bit ? 1 : kPages;
      EXPECT_EQ(counts->damaged, lost);
      EXPECT_THAT(complaints, Each(HasSubstr("can't be read")));
      EXPECT_EQ(unreadable(**database), lost == 1 ? " 1/4" : " 1/0 1/1 1/2 1/3 1/4 1/5 1/6 1/7");
      complaints.clear();
      const bool shorter = how == Harm::missing || std::count(kShorter.begin(), kShorter.end(), how) > 0;
      EXPECT_EQ(check_table_files(**database, complain), shorter ? 1U : 0U);
      EXPECT_THAT(complaints, Each(HasSubstr(file.string())));
    }
  }
}

// Which opening doesn't read.
TEST_F(MissingFiles, ATablesBytesAreChecked) {
  for (std::size_t each = 0; each < files_in(copies_.original(), ".sst").size(); ++each) {
    const fs::path copy = copies_.fresh();
    const fs::path file = files_in(copy, ".sst")[each];
    flip_bit(file, 3);
    const auto database = Database::open(copy, {.read_only = true});
    ASSERT_TRUE(database) << database.error().message;
    std::string complaints;
    EXPECT_EQ(check_table_files(**database, [&](const std::string& text) { complaints += text; }), 1U) << complaints;
    EXPECT_THAT(complaints, HasSubstr(file.string()));
  }
}

// They tell nothing that isn't elsewhere too.
TEST_F(MissingFiles, SomeAreMadeAnew) {
  for (const char* const name : {"IDENTITY", "OPTIONS-", "synced"}) {
    for (const Harm how : kAll) {
      SCOPED_TRACE(fmt::format("{} {}", name, name_of(how)));
      const fs::path copy = copies_.fresh();
      harm(files_in(copy, name).front(), how);
      const auto database = Database::open(copy, {});
      ASSERT_TRUE(database) << database.error().message;
      const bool remarked = name == std::string("synced") && how != Harm::missing && how != Harm::empty;
      EXPECT_EQ((*database)->remarks().size(), remarked ? 1U : 0U);
      EXPECT_EQ(unreadable(**database), "");
      EXPECT_EQ(damage(View(**database)), "");
    }
  }
}

}  // namespace
}  // namespace dmmap::store::testing
