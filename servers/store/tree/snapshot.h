// Snapshot: a copy of a file, or of a directory with all below it, that shares every page.
//
// It's built in an orphan, piece by piece, in transactions of a bounded size, and gets its name in the last one: a
// snapshot is wholly there or not at all, and what a crash leaves goes as orphans do.
#pragma once

#include <dmmap/ids.h>

#include <cstdint>
#include <ctime>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "servers/store/kv/database.h"
#include "servers/store/tree/directory.h"
#include "servers/store/tree/inode.h"

namespace dmmap::store {

/// Names, contents, owners, modes, times and extended attributes are the original's; of files with several names in the
/// tree, so are the copy's names. Takes memory for each directory that is still to be copied, and each file with
/// several names. Thread safety: one thread.
class Snapshot {
 public:
  /// REQUIRES: until build() has returned nothing below `source` changes.
  Snapshot(Database& database, FileId source, const timespec& now) : database_(database), source_(source), now_(now) {}

  /// Copies. Errors: EIO, ENOSPC; ENOENT when there's no such file.
  Result<void> build();
  /// Gives the copy its name. REQUIRES: build() has succeeded. Errors: those of Tree::adopt.
  Result<Inode> name_it(FileId directory, std::string_view name);
  /// The orphan that the copy is, also after an error; 0 where there's none (yet, or any more): to be removed then.
  [[nodiscard]] FileId copy() const { return copy_; }

 private:
  struct Task {
    FileId from;
    FileId to;
    std::uint64_t position = 0;  // of a directory, whose entries up to there have been copied
    std::uint64_t page = 0;      // of a file, likewise
  };
  /// Each does a part of `task`, and returns whether it's done.
  Result<bool> copy_entries(Transaction& transaction, Task& task);
  Result<bool> copy_bytes(Transaction& transaction, Task& task);
  Result<void> step(Transaction& transaction);
  /// A copy of `from` without what is in it, which is to be done.
  Result<Inode> copied(Transaction& transaction, const Inode& from);

  Database& database_;
  const FileId source_;
  const timespec now_;
  FileId copy_;
  std::vector<Task> tasks_;                           // the last one first
  std::vector<PageRange> shown_;                      // by the copy too, in this transaction
  std::unordered_map<std::uint64_t, FileId> copies_;  // of files with several names
};

}  // namespace dmmap::store
