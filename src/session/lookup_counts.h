// How often the kernel has looked up each node: exactly as fuse(4) counts, so that a node is forgotten exactly once.
#pragma once

#include <dmmap/ids.h>
#include <dmmap/thread_safety.h>

#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace dmmap::session {

/// Thread safety: every call, from any thread.
class LookupCounts {
 public:
  void add(NodeId node) DMMAP_EXCLUDES(lock_);
  /// Takes `count` lookups away. True when that were the last: the node is to be forgotten. More than were given are
  /// taken for all: a kernel can't forget what it wasn't given, so nothing is lost by believing it.
  [[nodiscard]] bool remove(NodeId node, std::uint64_t count) DMMAP_EXCLUDES(lock_);
  /// All nodes that are left; the counts are empty then.
  [[nodiscard]] std::vector<NodeId> take_all() DMMAP_EXCLUDES(lock_);
  /// Lookups of all nodes together.
  [[nodiscard]] std::uint64_t total() const DMMAP_EXCLUDES(lock_);

 private:
  mutable Mutex lock_;
  std::unordered_map<NodeId, std::uint64_t> counts_ DMMAP_GUARDED_BY(lock_);
  std::uint64_t total_ DMMAP_GUARDED_BY(lock_) = 0;
};

}  // namespace dmmap::session
