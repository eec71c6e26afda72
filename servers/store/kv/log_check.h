// What a database's files say about whether anything is gone that was on the disk.
//
// Promises: what a power cut may leave passes: RocksDB opens that by itself, with all that was synced. What was synced
// and can't be read any more is said, before RocksDB opens the database: it would drop what a log has from there on,
// and remove the log. Nothing is changed. Tables and files of pages aren't looked at; RocksDB does that.
#pragma once

#include <dmmap/error.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace dmmap::store {

struct LogTrouble {
  std::vector<std::string> losses;  ///< a sentence each: what is damaged where; none: all is well
  std::vector<std::uint64_t> logs;  ///< that have something which RocksDB will drop
  bool acceptable = true;           ///< what was committed before the loss can be had as it was at that moment
  std::string remark;               ///< what is wrong and costs nothing
};

/// `folder` is the store's, `database` RocksDB's in it. Errors: EIO when there can't be an opening at all.
Result<LogTrouble> check_logs(const std::filesystem::path& folder, const std::filesystem::path& database);

/// Copies of these logs, of which there's one at least, in a new folder in the store's, and on the disk; its name.
/// Errors: errno's.
Result<std::string> keep_logs(const std::filesystem::path& folder, const std::filesystem::path& database,
                              const std::vector<std::uint64_t>& logs);

}  // namespace dmmap::store
