// Notifications -> bytes for the kernel.
//
// Promises: no system calls, no state: every function from any thread. The spans that are given must live until the
// notification is sent.
#pragma once

#include <dmmap/ids.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "protocol/wire_reply.h"

namespace dmmap::protocol {

struct Notification {
  std::int32_t code = 0;
  WireReply body;
};

[[nodiscard]] Notification notify_poll(PollHandle handle);
[[nodiscard]] Notification notify_inval_inode(NodeId node, std::int64_t offset, std::int64_t length);
[[nodiscard]] Notification notify_inval_entry(NodeId parent, std::string_view name, bool expire_only);
[[nodiscard]] Notification notify_delete(NodeId parent, NodeId child, std::string_view name);
[[nodiscard]] Notification notify_store(NodeId node, std::uint64_t offset, std::span<const std::byte> data);
/// `number` comes back as the id of the NOTIFY_REPLY.
[[nodiscard]] Notification notify_retrieve(std::uint64_t number, NodeId node, std::uint64_t offset, std::uint32_t size);
[[nodiscard]] Notification notify_resend();
[[nodiscard]] Notification notify_inc_epoch();
[[nodiscard]] Notification notify_prune(std::span<const NodeId> nodes);

}  // namespace dmmap::protocol
