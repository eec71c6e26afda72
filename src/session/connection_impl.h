// ConnectionImpl: Connection and Notifier over a Core.
#pragma once

#include <dmmap/connection.h>
#include <dmmap/requests.h>
#include <dmmap/thread_safety.h>

#include <atomic>
#include <cerrno>
#include <unordered_map>

#include "protocol/notify.h"
#include "transport/unique_fd.h"

namespace dmmap::session {

class Core;

/// Thread safety: every call, from any thread; agreed() before all others.
class ConnectionImpl final : public Connection, public Notifier {
 public:
  explicit ConnectionImpl(Core& core) : core_(core) {}

  /// INIT has been answered. Also tries out what INIT can't tell.
  void agreed(Capabilities capabilities);
  /// No notification will be sent any more; retrievals under way get ENOTCONN.
  void gone() DMMAP_EXCLUDES(lock_);
  void retrieved(const NotifyReplyRequest& request) DMMAP_EXCLUDES(lock_);

  [[nodiscard]] const Capabilities& capabilities() const override { return capabilities_; }
  [[nodiscard]] Notifier& notifier() override { return *this; }
  Result<std::shared_ptr<BackingId>> open_backing(int fd) override;
  void log(LogLevel level, const std::string& text) override;
  [[nodiscard]] const std::string& mountpoint() const override;
  [[nodiscard]] Result<int> open_in_root(const std::string& name, int flags) override;
  [[nodiscard]] Result<void> has_root() const override;
  [[nodiscard]] std::uint64_t outstanding_lookups() const override;

  void poll(PollHandle handle) override;
  Completion inval_inode(NodeId node, std::int64_t offset, std::int64_t length) override;
  Result<void> inval_inode_and_wait(NodeId node, std::int64_t offset, std::int64_t length) override;
  Completion inval_entry(NodeId parent, std::string name, bool expire_only) override;
  Completion remove(NodeId parent, NodeId child, std::string name) override;
  Completion store(NodeId node, std::uint64_t offset, std::vector<std::byte> data) override;
  Result<void> store_and_wait(NodeId node, std::uint64_t offset, std::span<const std::byte> data) override;
  void retrieve(NodeId node, std::uint64_t offset, std::uint32_t size, RetrieveCallback callback) override
      DMMAP_EXCLUDES(lock_);
  Completion resend() override;
  Completion inc_epoch() override;
  Completion prune(std::vector<NodeId> nodes) override;

 private:
  using Make = std::function<protocol::Notification()>;
  /// Queues what `make` makes, in order with what else is about `key`.
  Completion queue(NodeId key, std::string what, Make make);
  Completion queue_if(Feature feature, NodeId key, std::string what, Make make);
  Result<void> send(const protocol::Notification& notification, const std::string& what);
  /// Sends it from the calling thread, which may serve requests. `what` says it to a trace.
  template <class What>
  Result<void> send_and_wait(const protocol::Notification& notification, const What& what);
  [[nodiscard]] static Completion done(Result<void> outcome);

  Core& core_;
  Capabilities capabilities_;
  Result<UniqueFd> nodes_ = fail(ENOTTY, "");  // of a device
  std::atomic<bool> gone_{false};
  Mutex lock_;
  std::uint64_t next_retrieval_ DMMAP_GUARDED_BY(lock_) = 1;
  std::unordered_map<std::uint64_t, RetrieveCallback> retrievals_ DMMAP_GUARDED_BY(lock_);
};

}  // namespace dmmap::session
