// The FUSE wire format of kernel/patches: mmap(2) answered by the server. Not in mainline.
//
// Promises: as abi.h. Source: include/uapi/linux/fuse.h as kernel/patches/6.12 makes it.
#pragma once

#include <sys/ioctl.h>

#include <cstdint>

#include "protocol/abi.h"

namespace dmmap::protocol {

/// INIT: FOPEN_MMAP is known.
inline constexpr std::uint64_t kInitMmapRequests = std::uint64_t{1} << 62;
/// CUSE_INIT: the same, and that backing files can be opened, and nodes by kDevIocNodes. max_readahead counts.
inline constexpr std::uint32_t kCuseInitMmapRequests = std::uint32_t{1} << 30;
/// OPEN's reply: each mmap(2) of this open file is asked for.
inline constexpr std::uint32_t kOpenMmap = std::uint32_t{1} << 30;

/// On /dev/cuse, once CUSE_INIT is answered with the flag: a new descriptor (O_PATH) of the directory in which
/// openat(2) finds the connection's nodes, by LOOKUP in node 1 as in a mount. The argument is 0.
inline constexpr unsigned long kDevIocNodes = _IO(kDevIocMagic, 64);

struct MmapIn {
  std::uint64_t fh;
  std::uint64_t offset;     // bytes, a multiple of the page size
  std::uint64_t length;     // bytes, a multiple of the page size
  std::uint32_t prot;       // PROT_*
  std::uint32_t max_prot;   // what mprotect(2) may make of it
  std::uint32_t map_flags;  // MAP_SHARED or MAP_PRIVATE
  std::uint32_t padding;
};
static_assert(sizeof(MmapIn) == 40);

/// MmapIn::map_flags: otherwise it's MAP_PRIVATE (mmap(2)).
inline constexpr std::uint32_t kMapShared = 1;

struct MmapOut {
  std::uint64_t mapid;        // MUNMAP names it
  std::uint64_t offset;       // bytes, a multiple of the page size
  std::uint64_t nodeid;       // whose page cache is mapped, which the kernel has to know, or 0
  std::uint64_t fh;           // that its READ, WRITE and FSYNC carry, with a node
  std::int32_t backing_id;    // what is mapped if nodeid is 0
  std::uint32_t grant_flags;  // kMmap*
};
static_assert(sizeof(MmapOut) == 40);

/// MmapOut::grant_flags.
inline constexpr std::uint32_t kMmapDontCopy = 1U << 0U;    // not inherited over fork(2)
inline constexpr std::uint32_t kMmapDontExpand = 1U << 1U;  // mremap(2) can't make it longer
inline constexpr std::uint32_t kMmapReadOnly = 1U << 2U;    // a shared one can't be stored into

inline constexpr std::uint32_t kMmapPages = 1U << 3U;  // neither node nor backing file: PAGE asks for each page

struct MunmapIn {
  std::uint64_t fh;  // of the file that was mapped
  std::uint64_t mapid;
};
static_assert(sizeof(MunmapIn) == 16);

struct PageIn {
  std::uint64_t fh;  // of the file that was mapped
  std::uint64_t mapid;
  std::uint64_t offset;  // bytes, counted from MmapOut::offset
  std::uint32_t page_flags;
  std::uint32_t padding;
};
static_assert(sizeof(PageIn) == 32);
/// PageIn::page_flags.
inline constexpr std::uint32_t kPageWrite = 1U << 0U;  // touched by a store

/// Up to a page's bytes follow, for the case that there's no page of this name yet.
struct PageOut {
  std::uint64_t pageid;
};
static_assert(sizeof(PageOut) == 8);

// Codes of notifications.
inline constexpr std::int32_t kNoticePageStore = 1024;
inline constexpr std::int32_t kNoticePageRetrieve = 1025;
inline constexpr std::int32_t kNoticePageUnmap = 1026;
inline constexpr std::int32_t kNoticePageForget = 1027;

struct PageStoreNotice {
  std::uint64_t pageid;
  std::uint32_t offset;  // bytes into the page
  std::uint32_t size;    // bytes, which follow
};
static_assert(sizeof(PageStoreNotice) == 16);

struct PageRetrieveNotice {
  std::uint64_t notify_unique;
  std::uint64_t pageid;
  std::uint32_t offset;  // bytes into the page
  std::uint32_t size;    // bytes
};
static_assert(sizeof(PageRetrieveNotice) == 24);

struct PageUnmapNotice {
  std::uint64_t mapid;
  std::uint64_t offset;  // bytes, as PAGE has it
  std::uint64_t length;  // bytes; 0: to the end
};
static_assert(sizeof(PageUnmapNotice) == 24);

struct PageForgetNotice {
  std::uint64_t pageid;
  std::uint64_t count;
};
static_assert(sizeof(PageForgetNotice) == 16);

}  // namespace dmmap::protocol
