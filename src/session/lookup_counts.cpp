#include "session/lookup_counts.h"

#include <algorithm>

namespace dmmap::session {

void LookupCounts::add(NodeId node, std::uint64_t generation) {
  const MutexLock lock(lock_);
  Known& known = counts_[node];
  ++known.lookups;
  known.generation = generation;
  ++total_;
}

std::optional<std::uint64_t> LookupCounts::generation(NodeId node) const {
  const MutexLock lock(lock_);
  const auto found = counts_.find(node);
  return found == counts_.end() ? std::nullopt : std::optional(found->second.generation);
}

bool LookupCounts::remove(NodeId node, std::uint64_t count) {
  const MutexLock lock(lock_);
  const auto found = counts_.find(node);
  if (found == counts_.end()) {
    return false;
  }
  const std::uint64_t taken = std::min(found->second.lookups, count);
  found->second.lookups -= taken;
  total_ -= taken;
  if (found->second.lookups != 0) {
    return false;
  }
  counts_.erase(found);
  return true;
}

std::vector<NodeId> LookupCounts::take_all() {
  const MutexLock lock(lock_);
  std::vector<NodeId> nodes;
  nodes.reserve(counts_.size());
  for (const auto& [node, known] : counts_) {
    nodes.push_back(node);
  }
  counts_.clear();
  total_ = 0;
  return nodes;
}

std::uint64_t LookupCounts::total() const {
  const MutexLock lock(lock_);
  return total_;
}

}  // namespace dmmap::session
