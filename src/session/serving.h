// What the calling thread is doing for a session: which request it's handling, and whether others serve while it waits.
//
// Thread safety: every call is about the calling thread.
#pragma once

#include <dmmap/ids.h>

namespace dmmap {
class Connection;
}

namespace dmmap::session {

class Core;

/// Marks the calling thread, for as long as it lives, as one that serves requests of `core`: they may need it.
void mark_serving_thread(Core& core);
[[nodiscard]] bool is_serving_thread();

/// The request that is being handled on this thread, for the scope.
class Handling {
 public:
  /// `locks_node`: the kernel holds the inode's lock until the answer (fs/fuse/file.c, dir.c: inode_lock).
  Handling(NodeId node, bool locks_node);
  Handling(const Handling&) = delete;
  Handling& operator=(const Handling&) = delete;
  ~Handling();
};

/// Whether this thread is handling a request of `connection` for which the kernel holds `node`'s lock.
[[nodiscard]] bool handling_locks(const Connection& connection, NodeId node);

/// While one exists, the calling thread may wait for requests of the mount that it serves: another thread takes its
/// place. On a thread that serves nothing, and within another of these, it does nothing.
class WhileWaiting {
 public:
  WhileWaiting();
  WhileWaiting(const WhileWaiting&) = delete;
  WhileWaiting& operator=(const WhileWaiting&) = delete;
  ~WhileWaiting();
  /// False when too many threads wait already: the caller must not.
  [[nodiscard]] bool may_wait() const { return may_wait_; }

 private:
  Core* core_;
  bool may_wait_;
};

}  // namespace dmmap::session
