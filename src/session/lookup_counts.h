// How often the kernel has looked up each node: exactly as fuse(4) counts, so that a node is forgotten exactly once.
#pragma once

#include <dmmap/ids.h>
#include <dmmap/thread_safety.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

namespace dmmap::session {

/// Thread safety: every call, from any thread.
class LookupCounts {
 public:
  /// `generation` is the entry's: the kernel takes the inode for another one when that changes.
  void add(NodeId node, std::uint64_t generation) DMMAP_EXCLUDES(lock_);
  /// What the node was last given with; nothing when the kernel doesn't know it.
  [[nodiscard]] std::optional<std::uint64_t> generation(NodeId node) const DMMAP_EXCLUDES(lock_);
  /// Takes `count` lookups away. True when that were the last: the node is to be forgotten. More than were given are
  /// taken for all: a kernel can't forget what it wasn't given, so nothing is lost by believing it.
  [[nodiscard]] bool remove(NodeId node, std::uint64_t count) DMMAP_EXCLUDES(lock_);
  /// All nodes that are left; the counts are empty then.
  [[nodiscard]] std::vector<NodeId> take_all() DMMAP_EXCLUDES(lock_);
  /// Lookups of all nodes together.
  [[nodiscard]] std::uint64_t total() const DMMAP_EXCLUDES(lock_);

 private:
  struct Known {
    std::uint64_t lookups = 0;
    std::uint64_t generation = 0;
  };
  mutable Mutex lock_;
  std::unordered_map<NodeId, Known> counts_ DMMAP_GUARDED_BY(lock_);
  std::uint64_t total_ DMMAP_GUARDED_BY(lock_) = 0;
};

}  // namespace dmmap::session
