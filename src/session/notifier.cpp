#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "session/completion.h"
#include "session/connection_impl.h"
#include "session/core.h"
#include "session/out_message.h"
#include "session/serving.h"
#include "transport/unique_fd.h"

namespace dmmap::session {

void ConnectionImpl::agreed(Capabilities capabilities) {
  capabilities_ = std::move(capabilities);
  if (mountpoint().empty() && capabilities_.has(Feature::mmap_requests)) {
    nodes_ = core_.transport().open_nodes();
  }
  if (!capabilities_.has(Feature::passthrough)) {
    return;
  }
  // INIT says that the kernel can; whether this process may, only a try tells (fs/fuse/backing.c asks CAP_SYS_ADMIN).
  const UniqueFd probe(::memfd_create("dmmap-probe", MFD_CLOEXEC));
  const auto number = core_.transport().open_backing(probe.get());
  if (number) {
    core_.transport().close_backing(*number);
    return;
  }
  const auto state = std::find_if(capabilities_.features.begin(), capabilities_.features.end(),
                                  [](const FeatureState& each) { return each.feature == Feature::passthrough; });
  state->have = false;
  state->why_not =
      number.error().code == EPERM
          ? "this process lacks CAP_SYS_ADMIN in the initial user namespace: run as root, outside containers "
            "without that privilege"
          : number.error().message;
}

Result<std::shared_ptr<BackingId>> ConnectionImpl::open_backing(int fd) {
  if (!capabilities_.has(Feature::passthrough)) {
    return fail(ENOSYS, fmt::format("no passthrough: {}", capabilities_.why_not(Feature::passthrough)));
  }
  const auto number = core_.transport().open_backing(fd);
  if (!number) {
    return tl::unexpected(number.error());
  }
  return std::make_shared<BackingId>(
      *number, [core = core_.shared_from_this()](std::int32_t id) { core->transport().close_backing(id); });
}

void ConnectionImpl::log(LogLevel level, const std::string& text) {
  core_.log(level, text);
}

const std::string& ConnectionImpl::mountpoint() const {
  return core_.options().mount.mountpoint;
}

Result<void> ConnectionImpl::has_root() const {
  if (mountpoint().empty() && !nodes_) {
    return fail(EOPNOTSUPP, fmt::format("neither a mount nor a device whose nodes the kernel lets its server open: {}",
                                        capabilities_.has(Feature::mmap_requests)
                                            ? nodes_.error().message
                                            : std::string(capabilities_.why_not(Feature::mmap_requests))));
  }
  return {};
}

Result<int> ConnectionImpl::open_in_root(const std::string& name, int flags) {
  if (auto possible = has_root(); !possible) {
    return tl::unexpected(possible.error());
  }
  const std::string path = mountpoint().empty() ? name : fmt::format("{}/{}", mountpoint(), name);
  int fd = -1;
  do {
    fd = ::openat(nodes_ ? nodes_->get() : AT_FDCWD, path.c_str(), flags);
  } while (fd < 0 && errno == EINTR);
  return fd >= 0 ? Result<int>(fd)
                 : fail_errno(errno, mountpoint().empty() ? fmt::format("opening {} of the device", name)
                                                          : fmt::format("opening {}", path));
}

std::uint64_t ConnectionImpl::outstanding_lookups() const {
  return core_.lookups().total();
}

Result<void> ConnectionImpl::send(const protocol::Notification& notification, const std::string& what) {
  const OutMessage message(notification.code, 0, notification.body.fixed(), notification.body.tail);
  auto outcome = core_.transport().notify(message.parts());
  if (core_.trace().on()) {
    core_.trace().notification(fmt::format("{} = {}", what, outcome ? "ok" : outcome.error().message));
  }
  return outcome;
}

Completion ConnectionImpl::done(Result<void> outcome) {
  auto state = std::make_shared<Completion::State>();
  state->set(std::move(outcome));
  return Completion(std::move(state));
}

Completion ConnectionImpl::queue(NodeId key, std::string what, Make make) {
  auto state = std::make_shared<Completion::State>();
  core_.notifications().post(key, [this, state, what = std::move(what), make = std::move(make)](bool ok) {
    state->set(ok && !gone_.load() ? send(make(), what) : fail(ENOTCONN, "the mount is gone"));
  });
  return Completion(state);
}

Completion ConnectionImpl::queue_if(Feature feature, NodeId key, std::string what, Make make) {
  if (!capabilities_.has(feature)) {
    return done(fail(ENOSYS, fmt::format("{}: {}", what, capabilities_.why_not(feature))));
  }
  return queue(key, std::move(what), std::move(make));
}

void ConnectionImpl::poll(PollHandle handle) {
  if (gone_.load()) {
    return;
  }
  // Wakes a wait queue and no more (fs/fuse/file.c, fuse_notify_poll_wakeup): can be sent from here. ENOENT says that
  // nobody polls any more.
  static_cast<void>(send(protocol::notify_poll(handle), fmt::format("POLL {}", handle.value)));
}

Completion ConnectionImpl::inval_inode(NodeId node, std::int64_t offset, std::int64_t length) {
  return queue(node, fmt::format("INVAL_INODE node {} offset {} length {}", node.value, offset, length),
               [=] { return protocol::notify_inval_inode(node, offset, length); });
}

template <class What>
Result<void> ConnectionImpl::send_and_wait(const protocol::Notification& notification, const What& what) {
  const WhileWaiting waiting;
  if (!waiting.may_wait()) {
    return fail(EDEADLK, "too many handlers wait already");
  }
  return gone_.load() ? fail(ENOTCONN, "the mount is gone")
                      : send(notification, core_.trace().on() ? what() : std::string());
}

Result<void> ConnectionImpl::inval_inode_and_wait(NodeId node, std::int64_t offset, std::int64_t length) {
  return send_and_wait(protocol::notify_inval_inode(node, offset, length), [=] {
    return fmt::format("INVAL_INODE node {} offset {} length {}", node.value, offset, length);
  });
}

Completion ConnectionImpl::inval_entry(NodeId parent, std::string name, bool expire_only) {
  std::string what = fmt::format("INVAL_ENTRY node {} \"{}\"{}", parent.value, name, expire_only ? " expire" : "");
  auto make = [parent, expire_only, name = std::move(name)] {
    return protocol::notify_inval_entry(parent, name, expire_only);
  };
  return expire_only ? queue_if(Feature::expire_only, parent, std::move(what), std::move(make))
                     : queue(parent, std::move(what), std::move(make));
}

Completion ConnectionImpl::remove(NodeId parent, NodeId child, std::string name) {
  return queue_if(Feature::notify_delete, parent,
                  fmt::format("DELETE node {} child {} \"{}\"", parent.value, child.value, name),
                  [parent, child, name] { return protocol::notify_delete(parent, child, name); });
}

Completion ConnectionImpl::store(NodeId node, std::uint64_t offset, std::vector<std::byte> data) {
  std::string what = fmt::format("STORE node {} offset {} size {}", node.value, offset, data.size());
  return queue(node, std::move(what),
               [node, offset, data = std::move(data)] { return protocol::notify_store(node, offset, data); });
}

Result<void> ConnectionImpl::store_and_wait(NodeId node, std::uint64_t offset, std::span<const std::byte> data) {
  return send_and_wait(protocol::notify_store(node, offset, data),
                       [=] { return fmt::format("STORE node {} offset {} size {}", node.value, offset, data.size()); });
}

void ConnectionImpl::retrieve(NodeId node, std::uint64_t offset, std::uint32_t size, RetrieveCallback callback) {
  std::uint64_t number = 0;
  {
    const MutexLock lock(lock_);
    number = next_retrieval_++;
    retrievals_.emplace(number, std::move(callback));
  }
  const auto give_up = [this, number](Error error) {
    RetrieveCallback waiting;
    {
      const MutexLock lock(lock_);
      const auto found = retrievals_.find(number);
      if (found == retrievals_.end()) {
        return;
      }
      waiting = std::move(found->second);
      retrievals_.erase(found);
    }
    waiting(tl::unexpected(std::move(error)));
  };
  core_.notifications().post(node, [=, this](bool ok) {
    if (!ok || gone_.load()) {
      give_up({ENOTCONN, "the mount is gone"});
      return;
    }
    const auto outcome = send(protocol::notify_retrieve(number, node, offset, size),
                              fmt::format("RETRIEVE node {} offset {} size {}", node.value, offset, size));
    if (!outcome) {
      give_up(outcome.error());
    }
  });
}

void ConnectionImpl::retrieved(const NotifyReplyRequest& request) {
  RetrieveCallback waiting;
  {
    const MutexLock lock(lock_);
    const auto found = retrievals_.find(request.id.value);
    if (found == retrievals_.end()) {
      return;
    }
    waiting = std::move(found->second);
    retrievals_.erase(found);
  }
  waiting(std::vector<std::byte>(request.data.begin(), request.data.end()));
}

Completion ConnectionImpl::resend() {
  return queue_if(Feature::resend, NodeId{}, "RESEND", [] { return protocol::notify_resend(); });
}

Completion ConnectionImpl::inc_epoch() {
  return queue_if(Feature::notify_inc_epoch, NodeId{}, "INC_EPOCH", [] { return protocol::notify_inc_epoch(); });
}

Completion ConnectionImpl::prune(std::vector<NodeId> nodes) {
  std::string what = fmt::format("PRUNE {} nodes", nodes.size());
  return queue_if(Feature::notify_prune, NodeId{}, std::move(what),
                  [nodes = std::move(nodes)] { return protocol::notify_prune(nodes); });
}

void ConnectionImpl::gone() {
  gone_.store(true);
  std::unordered_map<std::uint64_t, RetrieveCallback> waiting;
  {
    const MutexLock lock(lock_);
    waiting.swap(retrievals_);
  }
  for (const auto& [number, callback] : waiting) {
    callback(fail(ENOTCONN, "the mount is gone"));
  }
}

}  // namespace dmmap::session
