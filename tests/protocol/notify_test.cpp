// Notifications against the system's own structs.
#include "protocol/notify.h"

#include <gtest/gtest.h>
#include <linux/fuse.h>

#include <array>
#include <cstring>
#include <string>

#include "tests/protocol/message.h"

namespace dmmap::protocol {
namespace {

template <class Wire>
Wire head(const Notification& notification, std::int32_t code) {
  EXPECT_EQ(notification.code, code);
  Wire wire{};
  EXPECT_GE(notification.body.fixed().size(), sizeof wire);
  std::memcpy(&wire, notification.body.fixed().data(), std::min(sizeof wire, notification.body.fixed().size()));
  return wire;
}

std::string after(const Notification& notification, std::size_t size) {
  return std::string(as_text(notification.body.fixed().subspan(size)));
}

TEST(Notify, Poll) {
  const auto notification = notify_poll({55});
  EXPECT_EQ(head<fuse_notify_poll_wakeup_out>(notification, FUSE_NOTIFY_POLL).kh, 55U);
  EXPECT_EQ(notification.body.size(), 8U);
}

TEST(Notify, InvalInode) {
  const auto wire = head<fuse_notify_inval_inode_out>(notify_inval_inode({7}, -1, 4096), FUSE_NOTIFY_INVAL_INODE);
  EXPECT_EQ(wire.ino, 7U);
  EXPECT_EQ(wire.off, -1);
  EXPECT_EQ(wire.len, 4096);
}

TEST(Notify, InvalEntry) {
  for (const bool expire : {false, true}) {
    const auto notification = notify_inval_entry({7}, "name", expire);
    const auto wire = head<fuse_notify_inval_entry_out>(notification, FUSE_NOTIFY_INVAL_ENTRY);
    EXPECT_EQ(wire.parent, 7U);
    EXPECT_EQ(wire.namelen, 4U);
    EXPECT_EQ(after(notification, sizeof(fuse_notify_inval_entry_out)), std::string("name\0", 5));
    std::uint32_t flags = 0;
    std::memcpy(&flags, notification.body.fixed().data() + 12, sizeof flags);
    EXPECT_EQ(flags, expire ? 1U : 0U);
  }
}

TEST(Notify, Delete) {
  const auto notification = notify_delete({7}, {8}, "name");
  const auto wire = head<fuse_notify_delete_out>(notification, FUSE_NOTIFY_DELETE);
  EXPECT_EQ(wire.parent, 7U);
  EXPECT_EQ(wire.child, 8U);
  EXPECT_EQ(wire.namelen, 4U);
  EXPECT_EQ(after(notification, sizeof wire), std::string("name\0", 5));
}

TEST(Notify, StoreRefersToItsData) {
  const std::string text = "page";
  const auto data = std::as_bytes(std::span(text));
  const auto notification = notify_store({7}, 4096, data);
  const auto wire = head<fuse_notify_store_out>(notification, FUSE_NOTIFY_STORE);
  EXPECT_EQ(wire.nodeid, 7U);
  EXPECT_EQ(wire.offset, 4096U);
  EXPECT_EQ(wire.size, 4U);
  EXPECT_EQ(notification.body.tail.data(), data.data());
  EXPECT_EQ(notification.body.size(), sizeof wire + 4);
}

TEST(Notify, Retrieve) {
  const auto wire = head<fuse_notify_retrieve_out>(notify_retrieve(9, {7}, 4096, 100), FUSE_NOTIFY_RETRIEVE);
  EXPECT_EQ(wire.notify_unique, 9U);
  EXPECT_EQ(wire.nodeid, 7U);
  EXPECT_EQ(wire.offset, 4096U);
  EXPECT_EQ(wire.size, 100U);
}

// Younger than the system's header: 7.40, 7.44 and 7.45.
TEST(Notify, NewerOnes) {
  EXPECT_EQ(notify_resend().code, 7);
  EXPECT_EQ(notify_resend().body.size(), 0U);
  EXPECT_EQ(notify_inc_epoch().code, 8);
  EXPECT_EQ(notify_inc_epoch().body.size(), 0U);
  const std::array<NodeId, 2> nodes{NodeId{5}, NodeId{6}};
  const auto prune = notify_prune(nodes);
  struct Wire {
    std::uint32_t count;
    std::uint32_t padding;
    std::uint64_t spare;
    std::array<std::uint64_t, 2> nodes;
  };
  const auto wire = head<Wire>(prune, 9);
  EXPECT_EQ(prune.body.size(), sizeof wire);
  EXPECT_EQ(wire.count, 2U);
  EXPECT_EQ(wire.nodes[1], 6U);
}

TEST(WireReply, GrowsPastItsInlineRoom) {
  WireReply out;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 7), static_cast<char>('a' + i % 26));
    out.append(std::as_bytes(std::span(piece)));
    expected += piece;
    ASSERT_EQ(out.size(), expected.size());
  }
  EXPECT_EQ(as_text(out.fixed()), expected);
  const WireReply copy = out;
  EXPECT_EQ(as_text(copy.fixed()), expected);
}

}  // namespace
}  // namespace dmmap::protocol
