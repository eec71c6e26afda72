// Database: the folder that a store is kept in. It has a file `format`, which says its version, and a RocksDB database
// with the tables of kv/table.h.
//
// Promises: what was committed and synced survives a kill of the process and a power cut; what was committed but not
// synced survives a kill, and a power cut takes only the newest of it, in the order of commits (RocksDB's
// write-ahead log). One process has it open at a time. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/error.h>

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "servers/store/kv/table.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Status;
}  // namespace rocksdb

namespace dmmap::store {

class FilesChanged;
class LogFilter;
class SyncedMark;

struct DatabaseOptions {
  bool create = false;                   ///< makes the store where the folder is missing or empty
  bool accept_loss = false;              ///< goes on where the log is damaged, without what it had from there on
  bool read_only = false;                ///< as it is: nothing is changed, another may have it open
  std::size_t cache_bytes = 64U << 20U;  ///< of what was read; RocksDB has about as much more for what is written
};

class Database {
 public:
  /// Errors: ENOENT when there's no store and none is to be made; ENOTEMPTY when the folder has other things in it;
  /// EBUSY when another process has it; ENOTSUP for a newer format; EUCLEAN when something is lost that was synced,
  /// which `accept_loss` accepts; EIO when it's damaged otherwise.
  static Result<std::unique_ptr<Database>> open(const std::string& folder, const DatabaseOptions& options);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  /// What was found to be wrong at opening, and went on without: what is lost and was accepted. A sentence each.
  [[nodiscard]] const std::vector<std::string>& remarks() const { return remarks_; }

  /// What was committed is on the disk then. Errors: EIO, ENOSPC.
  Result<void> sync();
  /// What was committed is in the tables' own files, and no longer in the log alone. Errors: EIO, ENOSPC.
  Result<void> flush();

  // For View and Transaction.
  [[nodiscard]] SyncedMark* mark() const { return mark_.get(); }  // none when it's read-only
  [[nodiscard]] rocksdb::DB& db() const { return *db_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* table(Table table) const {
    return tables_[static_cast<std::size_t>(table)];
  }
  [[nodiscard]] std::mutex& writing() { return writing_; }

 private:
  Database();
  Result<void> check_logs_of(const std::string& folder, const DatabaseOptions& options);
  Result<void> open_tables(const std::string& folder, const DatabaseOptions& options);

  const std::unique_ptr<LogFilter> filter_;  // RocksDB has a pointer to it
  const std::unique_ptr<FilesChanged> changed_;
  std::unique_ptr<rocksdb::DB> db_;
  std::unique_ptr<SyncedMark> mark_;
  std::vector<std::string> remarks_;
  std::array<rocksdb::ColumnFamilyHandle*, kTableNames.size()> tables_{};
  std::mutex writing_;  // one transaction at a time
};

/// RocksDB's status of doing `what`. Errors: ENOSPC, ENOMEM, EIO for all others.
[[nodiscard]] Result<void> result_of(const rocksdb::Status& status, const std::string& what);
/// Whether what was to be read with this status is there. Errors: as above.
[[nodiscard]] Result<bool> was_there(const rocksdb::Status& status);
/// What was read with this status; nothing for what isn't there. Errors: as above.
template <class Value>
[[nodiscard]] Result<std::optional<Value>> read_with(const rocksdb::Status& status, Value value) {
  return was_there(status).map([&](bool there) { return there ? std::optional(std::move(value)) : std::nullopt; });
}

}  // namespace dmmap::store
