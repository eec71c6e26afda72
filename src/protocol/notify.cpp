#include "protocol/notify.h"

#include "protocol/abi.h"
#include "protocol/flags.h"

namespace dmmap::protocol {

namespace {

template <class T>
Notification make(Notice code, const T& head) {
  Notification notification;
  notification.code = static_cast<std::int32_t>(code);
  notification.body.append_struct(head);
  return notification;
}

// The kernel wants the NUL that the length doesn't count.
void append_name(Notification& to, std::string_view name) {
  to.body.append(std::as_bytes(std::span(name)));
  to.body.append_struct('\0');
}

}  // namespace

Notification notify_poll(PollHandle handle) {
  return make(Notice::poll, PollNotice{handle.value});
}

Notification notify_inval_inode(NodeId node, std::int64_t offset, std::int64_t length) {
  return make(Notice::inval_inode, InvalInodeNotice{node.value, offset, length});
}

Notification notify_inval_entry(NodeId parent, std::string_view name, bool expire_only) {
  auto notification = make(Notice::inval_entry, InvalEntryNotice{parent.value, static_cast<std::uint32_t>(name.size()),
                                                                 expire_only ? kExpireOnly : 0});
  append_name(notification, name);
  return notification;
}

Notification notify_delete(NodeId parent, NodeId child, std::string_view name) {
  auto notification =
      make(Notice::remove, DeleteNotice{parent.value, child.value, static_cast<std::uint32_t>(name.size()), 0});
  append_name(notification, name);
  return notification;
}

Notification notify_store(NodeId node, std::uint64_t offset, std::span<const std::byte> data) {
  auto notification = make(Notice::store, StoreNotice{node.value, offset, static_cast<std::uint32_t>(data.size()), 0});
  notification.body.tail = data;
  return notification;
}

Notification notify_retrieve(std::uint64_t number, NodeId node, std::uint64_t offset, std::uint32_t size) {
  return make(Notice::retrieve, RetrieveNotice{number, node.value, offset, size, 0});
}

Notification notify_resend() {
  Notification notification;
  notification.code = static_cast<std::int32_t>(Notice::resend);
  return notification;
}

Notification notify_inc_epoch() {
  Notification notification;
  notification.code = static_cast<std::int32_t>(Notice::inc_epoch);
  return notification;
}

Notification notify_prune(std::span<const NodeId> nodes) {
  auto notification = make(Notice::prune, PruneNotice{static_cast<std::uint32_t>(nodes.size()), 0, 0});
  for (const NodeId node : nodes) {
    notification.body.append_struct(node.value);
  }
  return notification;
}

}  // namespace dmmap::protocol
