// A store for tests that damage it: a row of commits, some synced, and copies of its folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "servers/store/kv/database.h"
#include "support/files.h"
#include "support/temporary_directory.h"

namespace dmmap::store::testing {

using dmmap::testing::bytes_of;
using dmmap::testing::flip_bit;

/// The files in it whose names end so, by name.
[[nodiscard]] std::vector<std::filesystem::path> files_in(const std::filesystem::path& store, const std::string& end);
void write_bytes(const std::filesystem::path& file, const std::string& bytes);

/// Commits numbered from 0, of which each has an entry of its own.
class Commits {
 public:
  /// Makes a store, or opens it.
  explicit Commits(const std::filesystem::path& store);
  void commit(std::size_t bytes);
  void sync();
  /// From now on there's another log; those before it are needed still.
  void begin_log();
  /// No log is needed any more; nothing is synced after that.
  void flush();
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t synced() const { return synced_; }  ///< how many are
  [[nodiscard]] std::filesystem::path log() const;
  [[nodiscard]] std::uint64_t log_bytes() const;

 private:
  std::filesystem::path store_;
  std::unique_ptr<Database> database_;
  std::uint64_t count_ = 0;
  std::uint64_t synced_ = 0;
};

/// How many commits are there, when they're the first ones without a gap.
[[nodiscard]] std::optional<std::uint64_t> commits_in(const Database& database);

/// Copies of a store, of which there's one at a time.
class Copies {
 public:
  [[nodiscard]] std::filesystem::path original() const { return folder_.path() / "store"; }
  [[nodiscard]] std::filesystem::path fresh() const;

 private:
  dmmap::testing::TemporaryDirectory folder_;
};

}  // namespace dmmap::store::testing
