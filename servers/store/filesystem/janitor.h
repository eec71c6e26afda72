// Janitor: removes what nobody uses any more, on a thread of its own: files without a name that the kernel has
// forgotten, and the bytes of pages that no file shows.
//
// Promises: what it's told of goes in bounded transactions, between which others have their turn. What a crash leaves
// of it is found at the next start. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/log.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "servers/store/kv/database.h"
#include "servers/store/pages/file_id.h"

namespace dmmap::store {

class Janitor {
 public:
  /// Begins with all orphans that there are: REQUIRES that nobody uses the store yet. `log` is told what can't be
  /// removed. Errors: EIO.
  static Result<std::unique_ptr<Janitor>> start(Database& database, LogSink log);
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;
  /// Ends after the transaction that is under way.
  ~Janitor();

  /// Nobody uses this orphan any more.
  void remove(FileId file);
  /// Pages may have been freed.
  void freed();

 private:
  Janitor(Database& database, LogSink log) : database_(database), log_(std::move(log)) {}
  void work();
  /// False when it failed, or the janitor is to end.
  bool removed(FileId file);
  [[nodiscard]] bool ending();
  void complain(const std::string& what, const Error& error) const;

  Database& database_;
  const LogSink log_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::vector<FileId> orphans_;
  bool freed_ = true;  // a crash may have left some
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace dmmap::store
