// Watcher: a small process that cleans up after a server that died.
//
// Promises: it never holds /dev/fuse, nor any other file of the server's but one socket, whose end tells it that the
// server is gone, however that came about. It then aborts the connection, so that no client and no thread of the server
// that hangs in the kernel (a STORE or an INVAL_INODE that waits for a request) stays, and unmounts. It ignores
// signals, has a session of its own, and isn't a child that the server could wait for by accident.
//
// The other end of the socket is held by one thread of the server alone, in a file table of its own (unshare(2),
// CLONE_FILES): a process that is killed while one of its threads hangs in the kernel keeps the table that its threads
// share, so the end of a descriptor there would never come. That thread does nothing but wait, so it dies when the
// process is told to. Thread safety: one thread at a time.
#pragma once

#include <dmmap/error.h>

#include <cstdint>
#include <memory>
#include <string>

namespace dmmap::transport {

class Watcher {
 public:
  Watcher() = default;
  /// Starts the process. REQUIRES: /dev/fuse, or /dev/cuse, is not open yet for what is to be watched.
  [[nodiscard]] static Result<Watcher> start();

  /// From here on, the end of this process means: abort and unmount.
  Result<void> watch(const std::string& mountpoint, std::uint32_t connection, bool by_helper);
  /// The same of the character device that was made as /dev/`name`: abort, whereupon it's gone with this process. Only
  /// who may write to its file in /sys/class/cuse (root) has that.
  Result<void> watch_device(const std::string& name);
  /// The mount is out of the namespace, but not gone: abort only.
  void detached();
  /// All is cleaned up: the watcher ends.
  void dismiss();
  /// Whether there's one.
  [[nodiscard]] explicit operator bool() const { return guard_ != nullptr; }

 private:
  class Guard;
  explicit Watcher(std::shared_ptr<Guard> guard) : guard_(std::move(guard)) {}
  std::shared_ptr<Guard> guard_;
};

}  // namespace dmmap::transport
