// Names of things, each a type of its own so that none can be passed for another.
//
// Promises: trivially copyable values, no invariants beyond those stated, safe from any thread.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace dmmap {

/// The unit in which regions are mapped, discarded and unmapped, in bytes. It is the smallest page of every
/// architecture that dmmap runs on; `page_size()` in region.h tells the running system's.
inline constexpr std::uint64_t kPageSize = 4096;

/// Names an inode towards the kernel (`nodeid` in linux/fuse.h). The server chooses it at LOOKUP.
struct NodeId {
  std::uint64_t value = 0;
  auto operator<=>(const NodeId&) const = default;
};

/// The root directory of every mount (FUSE_ROOT_ID in linux/fuse.h).
inline constexpr NodeId kRootNode{1};

/// Names one open file towards the kernel (`fh` in linux/fuse.h). The server chooses it at OPEN.
struct HandleId {
  std::uint64_t value = 0;
  auto operator<=>(const HandleId&) const = default;
};

/// Numbers of nodes and handles from here on are the library's own: a server chooses smaller ones.
inline constexpr std::uint64_t kFirstLibraryId = std::uint64_t{1} << 63;

/// Names one request on one connection (`unique` in linux/fuse.h), without the resend bit.
struct RequestId {
  std::uint64_t value = 0;
  auto operator<=>(const RequestId&) const = default;
};

/// Names one waiting poll (`kh` in linux/fuse.h). The kernel chooses it.
struct PollHandle {
  std::uint64_t value = 0;
  auto operator<=>(const PollHandle&) const = default;
};

/// Names a run of pages. The server chooses it; it must be unique among the regions of one process.
struct RegionId {
  std::uint64_t value = 0;
  auto operator<=>(const RegionId&) const = default;
};

/// Names one page. Two mappings that show the same PageId show the same page.
struct PageId {
  RegionId region;
  std::uint64_t index = 0;  ///< in pages from the start of the region
  auto operator<=>(const PageId&) const = default;
};

/// A run of whole pages of one region, `[first, first + count)`, in pages.
struct PageRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  auto operator<=>(const PageRange&) const = default;
};

}  // namespace dmmap

template <>
struct std::hash<dmmap::NodeId> {
  std::size_t operator()(const dmmap::NodeId& id) const noexcept { return std::hash<std::uint64_t>{}(id.value); }
};
template <>
struct std::hash<dmmap::HandleId> {
  std::size_t operator()(const dmmap::HandleId& id) const noexcept { return std::hash<std::uint64_t>{}(id.value); }
};
template <>
struct std::hash<dmmap::RequestId> {
  std::size_t operator()(const dmmap::RequestId& id) const noexcept { return std::hash<std::uint64_t>{}(id.value); }
};
template <>
struct std::hash<dmmap::RegionId> {
  std::size_t operator()(const dmmap::RegionId& id) const noexcept { return std::hash<std::uint64_t>{}(id.value); }
};
