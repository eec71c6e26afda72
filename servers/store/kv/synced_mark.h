// SyncedMark: takes down how much of an open database is on the disk, for whoever opens it next; see synced_state.h.
//
// Promises: what it notes was on the disk before. The file has it a tenth of a second after a sync, or when this ends:
// to write it at each sync would make each dearer by a tenth, since the disk's file system has one file more to keep. A
// note that can't be written is left out; it's a help, and what can't be written to the disk is told by the sync
// itself. Thread safety: every call, from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "servers/store/kv/synced_state.h"

namespace rocksdb {
class DB;
class EventListener;
}  // namespace rocksdb

namespace dmmap::store {

/// Set when RocksDB has other files than before: a new log, or new tables.
class FilesChanged {
 public:
  [[nodiscard]] std::shared_ptr<rocksdb::EventListener> listener() const;
  [[nodiscard]] bool is_set() const { return *changed_; }
  void clear() { *changed_ = false; }

 private:
  std::shared_ptr<std::atomic<bool>> changed_ = std::make_shared<std::atomic<bool>>(true);
};

class SyncedMark {
 public:
  /// `folder` is the store's. REQUIRES: `db` was just opened: all that is in it is on the disk, and nothing is in its
  /// log
  SyncedMark(std::filesystem::path folder, rocksdb::DB& db, FilesChanged changed);
  SyncedMark(const SyncedMark&) = delete;
  SyncedMark& operator=(const SyncedMark&) = delete;
  ~SyncedMark();

  /// What is written at this moment, and will be on the disk when a sync that begins now has ended.
  struct Moment {
    std::uint64_t sequence = 0;
    FilePosition manifest;
    std::vector<FilePosition> logs;  ///< none: it wasn't looked
  };
  [[nodiscard]] Moment before_sync();
  /// That sync ended well.
  void synced(const Moment& moment);

  /// The note that the next record of the log is to have; nothing when the log has it already.
  [[nodiscard]] std::optional<std::string> note_for_log();
  /// That record is in the log.
  void noted();

 private:
  [[nodiscard]] Moment look();
  void keep_writing();
  void write(const SyncedState& state) const;

  const std::filesystem::path folder_;
  rocksdb::DB& db_;
  FilesChanged changed_;
  std::string identity_;
  int fd_ = -1;

  std::mutex mutex_;
  std::condition_variable wake_;
  SyncedState state_;
  FilePosition manifest_;
  std::chrono::steady_clock::time_point looked_;
  std::uint64_t in_log_ = 0;
  std::uint64_t to_log_ = 0;
  bool fresh_ = false;  // the file doesn't have the state yet
  bool ending_ = false;
  std::thread writer_;
};

}  // namespace dmmap::store
