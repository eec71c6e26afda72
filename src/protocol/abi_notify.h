// What notifications carry, after an OutHeader whose error is the code and whose unique is 0.
//
// Promises: plain structs and constants. Source: include/uapi/linux/fuse.h of Linux 6.18.
#pragma once

#include <cstdint>

namespace dmmap::protocol {

enum class Notice : std::int32_t {
  poll = 1,
  inval_inode = 2,
  inval_entry = 3,
  store = 4,
  retrieve = 5,
  remove = 6,
  resend = 7,     // 7.40
  inc_epoch = 8,  // 7.44
  prune = 9,      // 7.45
};
struct PollNotice {
  std::uint64_t kh;
};
struct InvalInodeNotice {
  std::uint64_t ino;
  std::int64_t off;
  std::int64_t len;
};
struct InvalEntryNotice {
  std::uint64_t parent;
  std::uint32_t namelen;
  std::uint32_t flags;  // 7.38: kExpireOnly
};
struct DeleteNotice {
  std::uint64_t parent;
  std::uint64_t child;
  std::uint32_t namelen;
  std::uint32_t padding;
};
struct StoreNotice {
  std::uint64_t nodeid;
  std::uint64_t offset;
  std::uint32_t size;
  std::uint32_t padding;
};
struct RetrieveNotice {
  std::uint64_t notify_unique;
  std::uint64_t nodeid;
  std::uint64_t offset;
  std::uint32_t size;
  std::uint32_t padding;
};
struct PruneNotice {
  std::uint32_t count;
  std::uint32_t padding;
  std::uint64_t spare;
};
static_assert(sizeof(InvalInodeNotice) == 24 && sizeof(InvalEntryNotice) == 16 && sizeof(DeleteNotice) == 24);
static_assert(sizeof(StoreNotice) == 24 && sizeof(RetrieveNotice) == 32 && sizeof(PruneNotice) == 16);

}  // namespace dmmap::protocol
