// StoreSubject: a file system to compare the page store with, empty, on the disk where temporary files are.
//
// Promises: the destructor unmounts and removes it. Thread safety: one thread at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temporary_directory.h"

namespace dmmap::bench {

class StoreSubject {
 public:
  enum class Kind {
    store,   ///< `dmmap store`
    mirror,  ///< libfuse's example passthrough_ll, of a folder
    folder,  ///< the disk's own file system
  };
  /// Throws std::runtime_error.
  explicit StoreSubject(Kind kind);
  StoreSubject(const StoreSubject&) = delete;
  StoreSubject& operator=(const StoreSubject&) = delete;
  ~StoreSubject();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] Kind kind() const { return kind_; }
  /// The server's resident memory, in bytes; 0 without a server (proc(5), status, RssAnon).
  [[nodiscard]] double memory() const;

 private:
  const Kind kind_;
  const testing::TemporaryDirectory directory_;
  std::filesystem::path path_;
  std::optional<testing::Process> server_;
};

/// The name of the file system that a path is on, as statfs(2) tells it.
std::string filesystem_of(const std::filesystem::path& path);

/// Writes everything out, and has the kernel drop what it caches: pages, names and inodes (proc(5), drop_caches).
void drop_caches();

}  // namespace dmmap::bench
