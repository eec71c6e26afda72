#include "mapping/grants.h"

#include <fmt/format.h>

#include <cerrno>
#include <map>
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
    say_unmapped();
    return std::shared_ptr<BackingId>();
  }
  auto backing = connection_->open_backing(memfd);
  if (backing) {
    backings_[&region] = *backing;
  }
  return backing;
}

void MappedFilesystem::Grants::say_unmapped() {
  if (!std::exchange(said_unmapped_, true)) {
    connection_->log(LogLevel::warning,
                     fmt::format("files can be read and written, but mmap(MAP_SHARED) fails with ENODEV on this mount: "
                                 "passthrough: {}",
                                 connection_->capabilities().why_not(Feature::passthrough)));
  }
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

Result<MappedFilesystem::CarriedOut> MappedFilesystem::Grants::add_without(NodeId node, const Asked& file, bool share) {
  const MutexLock lock(lock_);
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) {
    handles_[file.handle] = {node, nullptr, nullptr, false, {file.may_read, file.may_write}, file.opener};
    return CarriedOut{};
  }
  // The kernel takes no open without a backing where another has one.
  if (!share) {
    return fail(EBUSY, fmt::format("node {} is open with a region, and this open was refused one", node.value));
  }
  return attach(node, file, found->second.region);
}

Result<MappedFilesystem::CarriedOut> MappedFilesystem::Grants::add(NodeId node, const Asked& file,
                                                                   std::shared_ptr<Region> region) {
  const MutexLock lock(lock_);
  return attach(node, file, std::move(region));
}

Result<MappedFilesystem::CarriedOut> MappedFilesystem::Grants::attach(NodeId node, const Asked& file,
                                                                      std::shared_ptr<Region> region) {
  const auto found = nodes_.find(node);
  if (found != nodes_.end() && found->second.region != region) {
    return fail(EBUSY, fmt::format("node {} is open with another region", node.value));
  }
  Result<CarriedOut> carried = fail(EINVAL, "a grant without a region that this tier can map");
  if (const auto shared = std::dynamic_pointer_cast<SharedRegion>(region)) {
    const bool asked_again = connection_->capabilities().has(Tier::kernel) && !session::is_library_handle(file.handle);
    carried = attach_shared(shared, !asked_again);
  } else if (const auto paged = std::dynamic_pointer_cast<PagedRegion>(region)) {
    // What is read from a device itself comes from the server. Its mappings show nodes of the library's.
    const bool of_device = connection_->mountpoint().empty() && !session::is_library_node(node);
    carried = of_device ? Result<CarriedOut>(CarriedOut{}) : attach_paged(node, file, *paged);
  }
  if (!carried) {
    return carried;
  }
  const bool counted = carried->backing || carried->page_cache;
  if (counted) {
    Node& entry = nodes_[node];
    entry.region = region;
    ++entry.opens;
    shown_[node] = region;
  }
  handles_[file.handle] = {node,       std::move(region), carried->backing, counted, {file.may_read, file.may_write},
                           file.opener};
  return carried;
}

Result<std::shared_ptr<BackingId>> MappedFilesystem::Grants::add_mapping(NodeId node, const Asked& file,
                                                                         std::shared_ptr<Region> region) {
  const MutexLock lock(lock_);
  auto carried = attach_shared(std::dynamic_pointer_cast<SharedRegion>(region), true);
  if (!carried) {
    return tl::unexpected(carried.error());
  }
  handles_[file.handle] = {node,       std::move(region), carried->backing, false, {file.may_read, file.may_write},
                           file.opener};
  return carried->backing;
}

Result<Opened> MappedFilesystem::Grants::answer(NodeId node, const Asked& file, const Result<CarriedOut>& carried) {
  if (!carried) {
    return tl::unexpected(carried.error());
  }
  if (carried->page_cache && file.may_write && !paged_.may_be_written(node)) {
    remove(file.handle);
    return fail(EAGAIN, "too many threads wait for stores to end");
  }
  Opened opened;
  opened.handle = file.handle;
  opened.direct_io = !carried->page_cache || file.own_io;
  opened.keep_cache = carried->keep_cache;
  opened.backing = carried->backing;
  // Our own files show what was granted already.
  opened.ask_mmap = !session::is_library_handle(file.handle) && asked_by_kernel();
  return opened;
}

void MappedFilesystem::Grants::forgotten(NodeId node) {
  const MutexLock lock(lock_);
  shown_.erase(node);
}

Result<void> MappedFilesystem::Grants::can_be_mapped(const std::shared_ptr<Region>& region) {
  if (const auto shared = std::dynamic_pointer_cast<SharedRegion>(region)) {
    const MutexLock lock(lock_);
    if (const Capabilities& capabilities = connection_->capabilities(); !capabilities.has(Feature::passthrough)) {
      say_unmapped();
      return fail(ENODEV, std::string(capabilities.why_not(Feature::passthrough)));
    }
    return shared->impl().check_not_revoked();
  }
  if (const auto paged = std::dynamic_pointer_cast<PagedRegion>(region)) {
    const MutexLock lock(lock_);
    if (auto reached = connection_->has_root(); !reached) {
      return fail(EOPNOTSUPP, "a paged region's pages can't be reached here: " + reached.error().message);
    }
    return paged_.can_show(*paged->impl());
  }
  return fail(EINVAL, "a region of no known kind");
}

std::optional<MappedFilesystem::Grants::Access> MappedFilesystem::Grants::access_of(HandleId handle) const {
  const MutexLock lock(lock_);
  const auto found = handles_.find(handle);
  return found == handles_.end() ? std::nullopt : std::optional(found->second.access);
}

bool MappedFilesystem::Grants::will_show(NodeId node, const std::shared_ptr<Region>& region) {
  const MutexLock lock(lock_);
  return shown_.insert_or_assign(node, region).second;
}

std::shared_ptr<Region> MappedFilesystem::Grants::shown_by(NodeId node) const {
  const MutexLock lock(lock_);
  const auto found = shown_.find(node);
  return found == shown_.end() ? nullptr : found->second.lock();
}

std::vector<RegionUse> MappedFilesystem::Grants::in_use() const {
  std::vector<mapping::MmapGrants::Held> all = mmaps_.held();
  for (mapping::MmapGrants::Held& held : kernel_.held()) {
    all.push_back(std::move(held));
  }
  {
    const MutexLock lock(lock_);
    for (const auto& [handle, entry] : handles_) {
      if (entry.region && !session::is_library_handle(handle)) {
        all.push_back(
            {entry.region, {MapMoment::open, entry.opener, entry.node, 0, 0, entry.access.writable, 0, Tier::open}});
      }
    }
  }
  std::map<RegionId, RegionUse> uses;
  for (mapping::MmapGrants::Held& held : all) {
    if (held.holding.moment == MapMoment::open) {
      // The kernel says which thread opened. Of one that is gone only that is known.
      const std::uint32_t process = mapping::process_of(held.holding.process);
      held.holding.process = process != 0 ? process : held.holding.process;
    }
    RegionUse& use = uses[held.region->id()];
    use.region = std::move(held.region);
    use.holdings.push_back(held.holding);
  }
  std::vector<RegionUse> list;
  for (auto& [id, use] : uses) {
    list.push_back(std::move(use));
  }
  return list;
}

Result<MappedFilesystem::CarriedOut> MappedFilesystem::Grants::attach_shared(
    const std::shared_ptr<SharedRegion>& region, bool with_backing) {
  CarriedOut carried;
  const auto begun = region->impl().begin_open([&](int memfd) DMMAP_REQUIRES(lock_) -> Result<void> {
    if (!with_backing) {
      return {};
    }
    auto opened = backing_of(*region, memfd);
    if (!opened) {
      return tl::unexpected(opened.error());
    }
    carried.backing = std::move(*opened);
    return {};
  });
  if (!begun) {
    return tl::unexpected(begun.error());
  }
  return carried;
}

Result<MappedFilesystem::CarriedOut> MappedFilesystem::Grants::attach_paged(NodeId node, const Asked& file,
                                                                            const PagedRegion& region) {
  const Capabilities& capabilities = connection_->capabilities();
  if (file.own_io && !capabilities.has(Feature::direct_io_allow_mmap) && !std::exchange(said_no_direct_mmap_, true)) {
    connection_->log(LogLevel::warning,
                     fmt::format("files whose read and write are the server's own can't be mapped on this mount: "
                                 "direct_io_allow_mmap: {}",
                                 capabilities.why_not(Feature::direct_io_allow_mmap)));
  }
  const auto same = paged_.opened(node, file.handle, region.impl(),
                                  {file.own_io, {file.may_write, file.may_store}, file.asked_about});
  if (!same) {
    return tl::unexpected(same.error());
  }
  return CarriedOut{.backing = nullptr, .page_cache = true, .keep_cache = *same};
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
    if (removed.counted) {
      const auto node = nodes_.find(removed.node);
      if (--node->second.opens == 0) {
        nodes_.erase(node);
      }
    }
    if (removed.backing && removed.backing.use_count() == 1) {
      backings_.erase(removed.region.get());
    }
  }
  if (const auto shared = std::dynamic_pointer_cast<SharedRegion>(removed.region)) {
    // The kernel drops its own reference to the file, which is no longer to count as an open one.
    removed.backing.reset();
    shared->impl().end_open();
  } else if (removed.region) {
    paged_.released(handle);
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
