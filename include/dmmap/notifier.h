// Notifier: what a server tells the kernel without being asked.
//
// Promises: every call returns at once, from anywhere, a handler included: a notification that may have to wait for
// other requests (fs/fuse/inode.c writes dirty pages back within INVAL_INODE) is sent from a thread that no request
// depends on. Notifications about one node go out in the order in which they were made. What the kernel lacks fails
// with ENOSYS. Thread safety: every call, from any thread.
#pragma once

#include <dmmap/error.h>
#include <dmmap/ids.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace dmmap {

/// The outcome of a notification, once it's there.
class Completion {
 public:
  /// Waits for the outcome. Errors: what the kernel answered (ENOENT: it doesn't know that inode or name);
  /// ENOSYS: this kernel hasn't this notification; ENOTCONN: the mount is gone; EDEADLK: called from a thread that
  /// serves requests, on which the outcome may depend, or that holds an answer which a region's call needs.
  [[nodiscard]] Result<void> wait() const;
  /// The outcome, if it's there already.
  [[nodiscard]] bool ready() const;

  class State;
  explicit Completion(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

/// Gets what RETRIEVE brought: bytes from `offset` on up to the first absent page, or the error.
using RetrieveCallback = std::function<void(Result<std::vector<std::byte>>)>;

class Notifier {
 public:
  Notifier() = default;
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;
  virtual ~Notifier() = default;

  /// The answer to the poll that brought `handle` has changed: waiting clients ask again. Never waits.
  virtual void poll(PollHandle handle) = 0;
  /// Drops cached attributes (offset < 0) or, too, cached pages of [offset, offset+length) bytes; length 0: to the end.
  /// Dirty pages are written back first; a writeback that fails loses them, and the outcome doesn't tell.
  virtual Completion inval_inode(NodeId node, std::int64_t offset, std::int64_t length) = 0;
  /// As inval_inode, sent from the calling thread, in no order with what is queued; returns when it's done. From a
  /// handler another thread serves meanwhile. Not while holding what an answer to a request needs.
  virtual Result<void> inval_inode_and_wait(NodeId node, std::int64_t offset, std::int64_t length) = 0;
  /// Drops the cached name; with `expire_only` (7.38) just lets it be looked up again.
  virtual Completion inval_entry(NodeId parent, std::string name, bool expire_only = false) = 0;
  /// The name `name`, which was `child`, is gone: as inval_entry, and watchers are told.
  virtual Completion remove(NodeId parent, NodeId child, std::string name) = 0;
  /// Puts bytes into the page cache of `node`. Safe only where no client writes: the pages aren't marked dirty.
  virtual Completion store(NodeId node, std::uint64_t offset, std::vector<std::byte> data) = 0;
  /// As store, sent from the calling thread, in no order with what is queued; returns when it's done. It waits for
  /// faults under way at the pages; from a handler another thread serves meanwhile. At most Capabilities::max_write
  /// bytes.
  virtual Result<void> store_and_wait(NodeId node, std::uint64_t offset, std::span<const std::byte> data) = 0;
  /// Reads up to `size` bytes (at most Capabilities::max_write) of what is cached of `node`. The callback runs on a
  /// thread of the session.
  virtual void retrieve(NodeId node, std::uint64_t offset, std::uint32_t size, RetrieveCallback callback) = 0;
  /// Has the kernel send again all requests that are unanswered (7.40).
  virtual Completion resend() = 0;
  /// All cached names are to be looked up again (7.44).
  virtual Completion inc_epoch() = 0;
  /// Drops these nodes where nothing uses them (7.45).
  virtual Completion prune(std::vector<NodeId> nodes) = 0;
};

}  // namespace dmmap
