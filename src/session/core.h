// Core: one connection being served, whatever the transport: receives, dispatches, keeps account.
//
// Promises: every request is answered exactly once. After finish() no call of the file system's runs or will run, and
// Replies that are still kept answer nobody.
#pragma once

#include <dmmap/filesystem.h>
#include <dmmap/session.h>
#include <dmmap/thread_safety.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <unordered_map>
#include <vector>

#include "protocol/decode.h"
#include "session/buffer.h"
#include "session/lookup_counts.h"
#include "session/trace.h"
#include "session/work_queue.h"
#include "transport/transport.h"

namespace dmmap::session {

class ConnectionImpl;

/// Thread safety: begin(), start() and finish() from one thread, the rest from any.
class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Filesystem& filesystem, SessionOptions options, std::unique_ptr<transport::Transport> transport);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();

  /// Receives and answers INIT. Errors: EPROTO for a kernel that is too old; ENOTCONN when the mount went away.
  Result<void> begin();
  /// Starts the threads that serve. REQUIRES: begin() succeeded.
  void start();
  /// Waits until no request will come any more, or `deadline`. True when so.
  bool wait_ended(std::optional<std::chrono::steady_clock::time_point> deadline) DMMAP_EXCLUDES(state_lock_);
  /// Wakes wait_ended() of another thread, though requests still come.
  void wake() DMMAP_EXCLUDES(state_lock_);
  /// Fails what is unanswered, stops the threads, forgets all nodes. REQUIRES: not called from a thread of the session.
  void finish();
  /// What ended it, if that was an error.
  [[nodiscard]] Result<void> outcome() DMMAP_EXCLUDES(state_lock_);

  // For requests and replies.
  [[nodiscard]] Filesystem& filesystem() const { return filesystem_; }
  [[nodiscard]] const SessionOptions& options() const { return options_; }
  [[nodiscard]] const protocol::Dialect& dialect() const { return dialect_; }
  [[nodiscard]] transport::Transport& transport() { return *transport_; }
  [[nodiscard]] const Trace& trace() const { return trace_; }
  [[nodiscard]] LookupCounts& lookups() { return lookups_; }
  [[nodiscard]] WorkQueue& notifications() { return notifications_; }
  [[nodiscard]] ConnectionImpl& connection() { return *connection_; }
  void log(LogLevel level, const std::string& text) const { options_.log(level, text); }
  /// The request is answered; an INTERRUPT that names it comes too late from now on.
  void answered(std::uint64_t unique) DMMAP_EXCLUDES(requests_lock_);
  /// Takes back a lookup that the kernel didn't take.
  void lookup_not_taken(NodeId node);

  /// A serving thread is about to wait for a request of this mount: another takes its place. False when too many wait.
  [[nodiscard]] bool begin_waiting() DMMAP_EXCLUDES(threads_lock_);
  void end_waiting() DMMAP_EXCLUDES(threads_lock_);

  /// `unique` is INTERRUPT's own.
  void interrupt(std::uint64_t unique, const InterruptRequest& request) DMMAP_EXCLUDES(requests_lock_);
  void forget(const ForgetRequest& request);
  void release_buffer(Buffer buffer) { buffers_.put(std::move(buffer)); }

 private:
  void start_serving() DMMAP_REQUIRES(threads_lock_);
  /// Returns when the calling thread is to receive: at once, unless others took its place while it waited.
  void await_turn() DMMAP_EXCLUDES(threads_lock_);
  void serve();
  void forgotten(NodeId node);
  void dispatch(Buffer& buffer, std::size_t size);
  void end(Result<void> outcome) DMMAP_EXCLUDES(state_lock_);

  Filesystem& filesystem_;
  const SessionOptions options_;
  const std::unique_ptr<transport::Transport> transport_;
  const Trace trace_;
  BufferPool buffers_;
  LookupCounts lookups_;
  WorkQueue notifications_;
  std::unique_ptr<ConnectionImpl> connection_;
  protocol::Dialect dialect_;
  Mutex threads_lock_;
  std::vector<std::thread> threads_ DMMAP_GUARDED_BY(threads_lock_);
  // Those that neither wait for a request of this mount nor stand by. Changed under the lock.
  std::atomic<std::size_t> active_{0};
  std::size_t standing_by_ DMMAP_GUARDED_BY(threads_lock_) = 0;
  std::condition_variable turn_;
  bool joining_ DMMAP_GUARDED_BY(threads_lock_) = false;
  std::atomic<bool> draining_{false};

  Mutex requests_lock_;
  // By their names as they came: a request that is sent again and its first copy are two.
  std::unordered_map<std::uint64_t, std::weak_ptr<detail::PendingRequest>> requests_ DMMAP_GUARDED_BY(requests_lock_);

  Mutex state_lock_;
  std::condition_variable state_changed_;
  bool ended_ DMMAP_GUARDED_BY(state_lock_) = false;
  bool woken_ DMMAP_GUARDED_BY(state_lock_) = false;
  Result<void> outcome_ DMMAP_GUARDED_BY(state_lock_);
};

}  // namespace dmmap::session
