// OwnFiles: files of our own mount or device, opened by ourselves, node by node, through its page cache.
//
// What a region's calls do to the page cache they do as a client would, by system calls on such a file: that is what
// keeps every byte where clients store (docs/paged-regions.md). The file is reached by a name in the root directory,
// that of the mount or the one that the kernel gives a device's server (Connection::open_in_root), which only the
// opening thread can look up.
//
// Promises: nobody else gets in by these names; an opened file is cached (no FOPEN_DIRECT_IO), drops no cached page,
// and its own requests never reach the server's file system. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/connection.h>
#include <dmmap/requests.h>
#include <dmmap/thread_safety.h>

#include <condition_variable>
#include <optional>
#include <string>
#include <unordered_map>

#include "mapping/wait_graph.h"
#include "transport/unique_fd.h"

namespace dmmap::mapping {

class OwnFiles {
 public:
  OwnFiles();

  void mounted(Connection& connection) DMMAP_EXCLUDES(lock_);
  /// Waits for the calls that use the connection; they fail, since the mount is gone.
  void unmounted() DMMAP_EXCLUDES(lock_);

  /// `access` is O_RDWR or O_RDONLY. Errors: ENOTCONN when there's no mount any more; those of
  /// Connection::open_in_root; EDEADLK when too many threads wait already. Waits for requests of the mount.
  Result<UniqueFd> open(NodeId node, int access) DMMAP_EXCLUDES(lock_);

  /// The connection, which stays while one of these exists.
  class Use {
   public:
    explicit Use(OwnFiles& files);
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use();
    [[nodiscard]] Connection* operator->() const { return connection_; }
    [[nodiscard]] Connection& operator*() const { return *connection_; }
    explicit operator bool() const { return connection_ != nullptr; }

   private:
    OwnFiles& files_;
    Connection* connection_;
  };
  void log(LogLevel level, const std::string& text);

  // For requests.
  /// The node that a LOOKUP of ours is about.
  [[nodiscard]] std::optional<NodeId> looked_up(const LookupRequest& request) const DMMAP_EXCLUDES(lock_);
  /// Whether this OPEN is ours; to be answered with handle().
  [[nodiscard]] bool opened(const OpenRequest& request) DMMAP_EXCLUDES(lock_);
  [[nodiscard]] HandleId handle() const { return handle_; }

 private:
  struct Opening {
    NodeId node;
    bool opened = false;
  };
  const std::string prefix_;
  const HandleId handle_;
  mutable Mutex lock_;
  std::condition_variable changed_;
  Connection* connection_ DMMAP_GUARDED_BY(lock_) = nullptr;
  unsigned uses_ DMMAP_GUARDED_BY(lock_) = 0;
  std::unordered_map<ThreadId, Opening> openings_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap::mapping
