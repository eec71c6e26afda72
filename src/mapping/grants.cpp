#include "mapping/grants.h"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

namespace dmmap {

Result<std::shared_ptr<BackingId>> MappedFilesystem::Grants::backing_of(const SharedRegion& region, int memfd) {
  if (const auto cached = backings_.find(&region); cached != backings_.end()) {
    if (auto backing = cached->second.lock()) {
      return backing;
    }
  }
  const Capabilities& capabilities = connection_->capabilities();
  if (!capabilities.has(Feature::passthrough)) {
    if (!std::exchange(said_unmapped_, true)) {
      connection_->log(LogLevel::warning, fmt::format("files can be read and written, but mmap(MAP_SHARED) fails with "
                                                      "ENODEV on this mount: passthrough: {}",
                                                      capabilities.why_not(Feature::passthrough)));
    }
    return std::shared_ptr<BackingId>();
  }
  auto backing = connection_->open_backing(memfd);
  if (backing) {
    backings_[&region] = *backing;
  }
  return backing;
}

std::shared_ptr<Region> MappedFilesystem::Grants::of_node(NodeId node) const {
  const MutexLock lock(lock_);
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? nullptr : found->second.region;
}

std::shared_ptr<Region> MappedFilesystem::Grants::of_handle(HandleId handle) const {
  const MutexLock lock(lock_);
  const auto found = handles_.find(handle);
  return found == handles_.end() ? nullptr : found->second.region;
}

Result<std::shared_ptr<BackingId>> MappedFilesystem::Grants::add_without(NodeId node, HandleId handle, bool share) {
  const MutexLock lock(lock_);
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) {
    handles_[handle] = {node, nullptr, nullptr};
    return std::shared_ptr<BackingId>();
  }
  // The kernel takes no open without a backing where another has one.
  if (!share) {
    return fail(EBUSY, fmt::format("node {} is open with a region, and this open was refused one", node.value));
  }
  return attach(node, handle, found->second.region);
}

Result<std::shared_ptr<BackingId>> MappedFilesystem::Grants::add(NodeId node, HandleId handle,
                                                                 std::shared_ptr<SharedRegion> region) {
  const MutexLock lock(lock_);
  return attach(node, handle, std::move(region));
}

Result<std::shared_ptr<BackingId>> MappedFilesystem::Grants::attach(NodeId node, HandleId handle,
                                                                    std::shared_ptr<SharedRegion> region) {
  const auto found = nodes_.find(node);
  if (found != nodes_.end() && found->second.region != region) {
    return fail(EBUSY, fmt::format("node {} is open with another region", node.value));
  }
  std::shared_ptr<BackingId> backing;
  const auto begun = region->impl().begin_open([&](int memfd) DMMAP_REQUIRES(lock_) -> Result<void> {
    auto opened = backing_of(*region, memfd);
    if (!opened) {
      return tl::unexpected(opened.error());
    }
    backing = std::move(*opened);
    return {};
  });
  if (!begun) {
    return tl::unexpected(begun.error());
  }
  if (backing) {
    Node& entry = nodes_[node];
    entry.region = region;
    ++entry.opens;
  }
  handles_[handle] = {node, std::move(region), backing};
  return backing;
}

bool MappedFilesystem::Grants::remove(HandleId handle) {
  Handle removed;  // dropped without the lock: it may be the region's last reference
  {
    const MutexLock lock(lock_);
    const auto found = handles_.find(handle);
    if (found == handles_.end()) {
      return false;
    }
    removed = std::move(found->second);
    handles_.erase(found);
    if (removed.backing) {
      const auto node = nodes_.find(removed.node);
      if (--node->second.opens == 0) {
        nodes_.erase(node);
      }
      if (removed.backing.use_count() == 1) {
        backings_.erase(removed.region.get());
      }
    }
  }
  if (removed.region) {
    removed.backing
        .reset();  // the kernel drops its own reference to the file, which is no longer to count as an open one
    removed.region->impl().end_open();
  }
  return true;
}

std::vector<MappedFilesystem::Grants::Open> MappedFilesystem::Grants::all() const {
  const MutexLock lock(lock_);
  std::vector<Open> opens;
  for (const auto& [handle, entry] : handles_) {
    opens.push_back({entry.node, handle});
  }
  return opens;
}

}  // namespace dmmap
