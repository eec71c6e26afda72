// ServedStore: a page store on a real mount, served by threads of the test's own process, so that the test can have the
// server do things by itself, and can look into the store.
//
// Promises: all that fails throws std::runtime_error; what would wait for ever has its connection aborted first. Gone,
// and unmounted, with the object. Thread safety: one thread.
#pragma once

#include <dmmap/session.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "servers/store/filesystem/store_filesystem.h"
#include "servers/store/kv/database.h"
#include "support/temporary_directory.h"

namespace dmmap::testing {

class ServedStore {
 public:
  /// A new store, in a folder of its own. It isn't served yet, and the mountpoint is known.
  ServedStore();
  ServedStore(const ServedStore&) = delete;
  ServedStore& operator=(const ServedStore&) = delete;

  [[nodiscard]] std::filesystem::path mountpoint() const { return directory_ / "mnt"; }

  /// Serves it. What is in it is checked first, as `dmmap store check` does: throws when that finds damage. Returns how
  /// many pages are shared.
  std::uint64_t start();
  /// Unmounts it, as Ctrl-C does, and with `wholly` closes its database, which takes longer. REQUIRES: no client has
  /// anything of it open.
  void stop(bool wholly);
  /// Takes these bytes of a file back from the kernel, and from all who have them mapped; `length` 0: to the end.
  void take_back(std::uint64_t node, std::uint64_t offset, std::uint64_t length);
  /// Has the kernel forget what it knows of a file but its bytes, and that this is its name.
  void forget(std::uint64_t node, const std::string& name);
  /// What the store has of a file now, from the beginning up to its size there.
  [[nodiscard]] std::string bytes(std::uint64_t node) const;
  /// Aborts the mount's connection: what waits for the server fails.
  void abort() const;

 private:
  struct Complaints {
    std::mutex lock;
    std::string text;
  };
  [[nodiscard]] LogSink log() const;
  void throw_complaints() const;
  void finish(const Completion& notification, const char* what) const;

  TemporaryDirectory directory_;
  std::shared_ptr<Complaints> complaints_ = std::make_shared<Complaints>();  // of the server
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::StoreFilesystem> filesystem_;
  std::optional<Session> session_;
};

}  // namespace dmmap::testing
