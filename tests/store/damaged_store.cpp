#include "store/damaged_store.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <fstream>

#include "servers/store/kv/numbers.h"
#include "servers/store/kv/transaction.h"
#include "servers/store/kv/view.h"

namespace dmmap::store::testing {

namespace fs = std::filesystem;

std::vector<fs::path> files_in(const fs::path& store, const std::string& end) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(store)) {
    if (entry.path().filename().string().ends_with(end) || entry.path().filename().string().starts_with(end)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

void write_bytes(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

Commits::Commits(const fs::path& store) : store_(store) {
  auto database = Database::open(store, {.create = true});
  EXPECT_TRUE(database) << database.error().message;
  database_ = std::move(*database);
  count_ = synced_ = commits_in(*database_).value_or(0);
}

void Commits::commit(std::size_t bytes) {
  Transaction transaction(*database_);
  transaction.put(Table::xattrs, encode({count_}), std::string(bytes, static_cast<char>('a' + count_ % 26)));
  ++count_;
  EXPECT_TRUE(transaction.commit());
}

void Commits::sync() {
  EXPECT_TRUE(database_->sync());
  synced_ = count_;
}

void Commits::begin_log() {
  const fs::path before = log();
  Transaction transaction(*database_);
  transaction.put(Table::excess, "x", "");
  EXPECT_TRUE(transaction.commit());
  EXPECT_TRUE(database_->db().Flush(rocksdb::FlushOptions(), database_->table(Table::excess)).ok());
  EXPECT_NE(log(), before);
}

void Commits::flush() {
  EXPECT_TRUE(database_->flush());
}

fs::path Commits::log() const {
  return files_in(store_, ".log").back();
}

std::uint64_t Commits::log_bytes() const {
  return fs::file_size(log());
}

std::optional<std::uint64_t> commits_in(const Database& database) {
  std::uint64_t count = 0;
  bool in_order = true;
  const auto read = for_each(View(database), Table::xattrs, [&](std::string_view key, std::string_view /*value*/) {
    in_order = in_order && key == encode({count});
    ++count;
  });
  return read && in_order ? std::optional(count) : std::nullopt;
}

fs::path Copies::fresh() const {
  fs::path copy = folder_.path() / "copy";
  fs::remove_all(copy);
  fs::copy(original(), copy, fs::copy_options::recursive);
  return copy;
}

}  // namespace dmmap::store::testing
