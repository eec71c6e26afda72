// Janitor: removes what nobody uses any more, on a thread of its own: files without a name that the kernel has
// forgotten, and the bytes of pages that no file shows.
//
// Promises: what it's told of goes in bounded transactions, between which others have their turn. What a crash leaves
// of it is found at the next start. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/ids.h>
#include <dmmap/log.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "servers/store/filesystem/disk_space.h"
#include "servers/store/kv/database.h"
#include "servers/store/pages/file_id.h"
#include "servers/store/pages/file_pages.h"

namespace dmmap::store {

class Janitor {
 public:
  /// Begins with all orphans that there are: REQUIRES that nobody uses the store yet. `space` is the disk that it lies
  /// on. `log` is told what can't be removed. Errors: EIO.
  static Result<std::unique_ptr<Janitor>> start(Database& database, const DiskSpace& space, LogSink log);
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;
  /// Ends after the transaction that is under way.
  ~Janitor();

  /// Nobody uses this orphan any more.
  void remove(FileId file);
  /// Pages may have been freed.
  void freed();

 private:
  Janitor(Database& database, const DiskSpace& space, LogSink log)
      : database_(database), space_(space), log_(std::move(log)) {}
  void work();
  void reap();
  void give_back_what_is_worth_it();
  /// False when it failed, or the janitor is to end. Adds to `orphaned` what is to be removed then.
  bool removed(FileId file, std::vector<FileId>& orphaned);
  [[nodiscard]] bool ending();
  void complain(const std::string& what, const Error& error) const;

  Database& database_;
  const DiskSpace space_;
  const LogSink log_;
  Reaped reaped_;  // since room was last given back
  std::mutex lock_;
  std::condition_variable changed_;
  std::vector<FileId> orphans_;
  std::atomic<bool> freed_ = true;  // a crash may have left some
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace dmmap::store
